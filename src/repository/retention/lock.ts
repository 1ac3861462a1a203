import type { Retention } from '../backend/retention.ts';

/** Locked for longer than is asked for, by this part, so that what every backup reuses is locked anew only now and then. */
const LEAD = 1 / 3;

/** Locks keys for at least `lockMs` from now on; those that are locked for that long already are left alone. */
export async function lockKeys(retention: Retention, keys: readonly string[], lockMs: number): Promise<void> {
  const now = Date.now();
  const ends = await retention.lockedUntil(keys);
  const due = keys.filter((_, i) => (ends[i]?.getTime() ?? 0) < now + lockMs);
  if (due.length > 0) await retention.lock(due, lockEnd(lockMs, now));
}

/** When the lock of what is locked now ends. */
export function lockEnd(lockMs: number, now: number = Date.now()): Date {
  return new Date(now + lockMs * (1 + LEAD));
}
