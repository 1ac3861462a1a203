/** Object lock: what is locked cannot be deleted before its time, but by who has a right of its own for that. */
export interface Retention {
  /** Whether this place has it. */
  isOn(): Promise<boolean>;
  /** Until when each key is locked, in the order of the keys; undefined where it is not, or there is no such key. */
  lockedUntil(keys: readonly string[]): Promise<(Date | undefined)[]>;
  /** Locks keys until then; one that is locked for longer stays so. May be repeated. */
  lock(keys: readonly string[], until: Date): Promise<void>;
}
