import type { FileIdentity, HintCache } from '../hint-cache.ts';
import type { StoredObject } from '../types.ts';

/** Filesystems stamp in ticks: a file that changed a moment ago may change again under the same stamp. */
const SETTLED_NS = 2_000_000_000n;

/** Notes the content of a file that did not change while it was read, and had not just before. */
export function rememberIfSettled(
  hints: HintCache | undefined,
  before: FileIdentity,
  after: FileIdentity,
  stored: StoredObject,
): void {
  const unchanged =
    before.size === after.size && before.mtimeNs === after.mtimeNs && Number(after.size) === stored.size;
  const age = BigInt(Date.now()) * 1_000_000n - after.mtimeNs;
  if (unchanged && age > SETTLED_NS) hints?.set(after, stored);
}
