import { SkepError } from '../errors.ts';
import type { Backend } from './backend/backend.ts';

/**
 * Whether a storage has all bytes of what it said to have: one that keeps a part and answers with success is not believed.
 * Error: `repository-failed`, naming the key.
 */
export async function checkKept(backend: Backend, written: readonly { key: string; size: number }[]): Promise<void> {
  const sizes = await backend.sizes(written.map(({ key }) => key));
  for (const [i, { key, size }] of written.entries()) {
    const found = sizes[i];
    if (found === size) continue;
    const kept = found === undefined ? 'nothing' : `${found} bytes`;
    const message = `the storage kept ${kept} of the ${size} bytes of ${key}, and had said that it was written`;
    throw new SkepError('repository-failed', message, { context: { key, expected: size, found } });
  }
}
