export { acquireLease } from './acquire.ts';
export { clearDeadRuns, type ClearedRuns } from './clear-dead-runs.ts';
export type { Lease } from './held-lease.ts';
export { listLeases, type LeaseInfo, type LeaseKind, type LeaseOwner } from './lease-file.ts';
export { takeAway } from './take-away.ts';
export { type ShownLease, showLeases, unlock, type UnlockOptions } from './unlock.ts';
