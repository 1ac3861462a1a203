export type LeaseKind = 'write' | 'read' | 'delete';

/** A held lease; its heartbeat runs until `release`. */
export interface Lease {
  readonly id: string;
  readonly kind: LeaseKind;
  readonly owner: { run: string; host: string; pid: number };
  /** `locked` when it was revoked or its heartbeat is too old. */
  assertHeld(): Promise<void>;
  release(): Promise<void>;
}

export interface LeaseInfo {
  id: string;
  kind: LeaseKind;
  owner: Lease['owner'];
  /** ISO time. */
  acquiredAt: string;
  heartbeatAt: string;
  /** No heartbeat for longer than it may take. */
  stale: boolean;
}
