import type { Backend } from '../backend/backend.ts';
import { leaseKey } from '../format/names.ts';

/**
 * What tells an owner that its lease was taken away, or asks it to stop, is of no use after so long: whoever was silent for
 * ten minutes takes itself for dead, also when its machine was asleep.
 */
const OLD_MS = 7 * 86_400_000;

/** Removes old records of leases that are gone, by the storage's clock as a lease of the caller tells it. Gives how many. */
export async function clearRecords(backend: Backend, own: string): Promise<number> {
  const times = new Map<string, number | undefined>();
  for await (const { key, modifiedMs } of backend.list('leases/')) times.set(key, modifiedMs);
  const now = times.get(leaseKey(own));
  if (now === undefined) return 0;
  let cleared = 0;
  for (const [key, modifiedMs = now] of times) {
    const id = /^leases\/([0-9a-f]{32})\.(?:revoked|stop)$/.exec(key)?.[1];
    if (id === undefined || times.has(leaseKey(id)) || now - modifiedMs <= OLD_MS) continue;
    if (await backend.delete(key)) cleared++;
  }
  return cleared;
}
