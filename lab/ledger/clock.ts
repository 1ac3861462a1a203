/**
 * Microseconds for the ledger from the system's clock, the one that JanusGraph and Cassandra stamp with.
 * `performance.timeOrigin + now()` drifts away from it, so the millisecond clock is used and rounded to the safe side.
 */
export function sentMicros(nowMs = Date.now()): number {
  return nowMs * 1000;
}

/** The first microsecond that is surely not before now. */
export function ackedMicros(nowMs = Date.now()): number {
  return (nowMs + 1) * 1000;
}
