/** Object lock: what is locked cannot be deleted or replaced by anyone before its time. */
export interface Retention {
  /** Whether this place has it. */
  isOn(): Promise<boolean>;
  /** Until when each key is locked, in the order of the keys; undefined where it is not, or there is no such key. */
  lockedUntil(keys: readonly string[]): Promise<(Date | undefined)[]>;
  /** Locks keys until then; one that is locked for longer stays so. May be repeated. */
  lock(keys: readonly string[], until: Date): Promise<void>;
}
