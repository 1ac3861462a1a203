import { randomBytes } from 'node:crypto';
import { SkepError } from '../../errors.ts';
import type { Backend } from '../backend/backend.ts';
import { BALLAST_KEY } from '../format/names.ts';

/** What became of the ballast. */
export type BallastState = 'made' | 'there' | 'no-space' | 'none';

/**
 * Makes the file whose only use is that a prune on a full disk can delete it first. Random bytes: a filesystem that
 * compresses would give no room for others. 0 bytes: none is wanted.
 */
export async function makeBallast(backend: Backend, bytes: number): Promise<BallastState> {
  const [found] = await backend.sizes([BALLAST_KEY]);
  if (bytes === 0) {
    await backend.delete(BALLAST_KEY);
    return 'none';
  }
  if (found === bytes) return 'there';
  await backend.delete(BALLAST_KEY);
  try {
    await backend.put(BALLAST_KEY, randomBytes(bytes));
    return 'made';
  } catch (error) {
    if (error instanceof SkepError && error.code === 'no-space') return 'no-space';
    throw error;
  }
}

export async function dropBallast(backend: Backend): Promise<void> {
  await backend.delete(BALLAST_KEY);
}

/** Does work that writes little; on a full disk once more without the ballast. The next prune makes it again. */
export async function withRoom<T>(backend: Backend, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof SkepError) || error.code !== 'no-space') throw error;
    await dropBallast(backend);
    return work();
  }
}
