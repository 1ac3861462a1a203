import { SkepError } from '../../../../src/errors.ts';
import { MemoryBackend } from '../../../../src/repository/backend/memory-backend.ts';
import type { Retention } from '../../../../src/repository/backend/retention.ts';

/** A backend in memory with object lock; like an object storage it has no bins. */
export class LockingBackend extends MemoryBackend {
  override readonly bins = undefined as never;
  readonly locks = new Map<string, Date>();
  /** Keys of every call that locked. */
  readonly locked: string[][] = [];

  readonly retention: Retention = {
    isOn: async () => true,
    lockedUntil: async (keys) => keys.map((key) => (this.contents.has(key) ? this.locks.get(key) : undefined)),
    lock: async (keys, until) => {
      this.locked.push([...keys]);
      for (const key of keys) if ((this.locks.get(key) ?? until) <= until) this.locks.set(key, until);
    },
  };

  override async put(key: string, bytes: Uint8Array, options: { overwrite?: boolean; lockUntil?: Date } = {}) {
    const done = await super.put(key, bytes, options);
    if (done === 'created' && options.lockUntil !== undefined) this.locks.set(key, options.lockUntil);
    return done;
  }

  override async delete(key: string): Promise<boolean> {
    const until = this.locks.get(key);
    if (until !== undefined && until.getTime() > Date.now())
      throw new SkepError('repository-failed', `${key} is locked`);
    return super.delete(key);
  }
}
