import { randomBytes } from 'node:crypto';
import { SkepError } from '../../errors.ts';
import type { Backend } from '../backend/backend.ts';
import { BALLAST_KEY } from '../format/names.ts';

/** What became of the ballast. `smaller`: one that fits is there instead; the next prune tries again. */
export type BallastState = 'made' | 'there' | 'smaller' | 'no-space' | 'none';

export interface Ballast {
  state: BallastState;
  /** What there is now. */
  bytes: number;
}

/** What a prune writes before it has removed anything takes some ten blocks. */
const SMALLEST = 64 << 10;

/**
 * Makes the file whose only use is that a prune on a full disk can delete it first; a smaller one where it does not fit: any
 * is better than none. 0 bytes: none is wanted.
 */
export async function makeBallast(backend: Backend, bytes: number): Promise<Ballast> {
  const [found] = await backend.sizes([BALLAST_KEY]);
  if (bytes > 0 && found === bytes) return { state: 'there', bytes };
  // To try again would fill the disk for a moment, beside whoever writes.
  if (found !== undefined && found >= SMALLEST && found < bytes) return { state: 'smaller', bytes: found };
  await backend.delete(BALLAST_KEY);
  if (bytes === 0) return { state: 'none', bytes };
  if (await fits(backend, bytes)) return { state: 'made', bytes };
  for (let size = Math.floor(bytes / 2); size >= SMALLEST; size = Math.floor(size / 2)) {
    if (!(await fits(backend, size))) continue;
    if (size < 2 * SMALLEST) return { state: 'smaller', bytes: size };
    // As much is left for backups.
    await backend.delete(BALLAST_KEY);
    size = Math.floor(size / 2);
    if (await fits(backend, size)) return { state: 'smaller', bytes: size };
  }
  return { state: 'no-space', bytes: 0 };
}

/** Random bytes: a filesystem that compresses would give no room for others. */
async function fits(backend: Backend, bytes: number): Promise<boolean> {
  try {
    await backend.put(BALLAST_KEY, randomBytes(bytes));
    return true;
  } catch (error) {
    if (error instanceof SkepError && error.code === 'no-space') return false;
    throw error;
  }
}

export async function dropBallast(backend: Backend): Promise<void> {
  await backend.delete(BALLAST_KEY);
}

/** Room on a full disk for work that writes little: that of the ballast. */
export class Room {
  readonly #backend: Backend;
  readonly #ballastBytes: number | undefined;
  #isUsed = false;

  /** `ballastBytes`: what is to be made again at the end; when absent that is left to the next prune. */
  constructor(backend: Backend, ballastBytes: number | undefined) {
    this.#backend = backend;
    this.#ballastBytes = ballastBytes;
  }

  /** Does the work; on a full disk once more without the ballast. */
  async for<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof SkepError) || error.code !== 'no-space') throw error;
      await dropBallast(this.#backend);
      this.#isUsed = true;
      return work();
    }
  }

  /** The next command may need the ballast too. */
  async end(): Promise<void> {
    if (this.#isUsed && this.#ballastBytes !== undefined) await makeBallast(this.#backend, this.#ballastBytes);
  }
}
