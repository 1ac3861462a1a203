import type { Backend } from './backend/backend.ts';
import { checkKept } from './check-kept.ts';
import { manifestCopyKey } from './format/names.ts';

/**
 * Writes the copy of a manifest that is there. The backup exists: nothing is said to have failed for want of its copy, which
 * may be missing but not be torn; the next prune writes it.
 */
export async function putCopy(
  backend: Backend,
  id: string,
  bytes: Buffer,
  locked: { lockUntil?: Date },
): Promise<void> {
  try {
    await backend.put(manifestCopyKey(id), bytes, locked);
    await checkKept(backend, [{ key: manifestCopyKey(id), size: bytes.length }]);
  } catch {
    await backend.delete(manifestCopyKey(id));
  }
}
