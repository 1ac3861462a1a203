import type { Staged } from '../backend.ts';
import type { Room } from './memory.ts';
import type { BatchContext } from './s3-batch.ts';

/** A content in memory: a copy of what the caller uses again. */
export class StagedBytes implements Staged {
  readonly #bytes: Uint8Array;
  readonly #room: Room;

  /** `room` is for the copy. */
  constructor(bytes: Uint8Array, room: Room) {
    room.bytes.set(bytes);
    this.#bytes = room.bytes.subarray(0, bytes.length);
    this.#room = room;
  }

  get size(): number {
    return this.#bytes.length;
  }

  async write(): Promise<void> {
    throw new Error('a content in memory is whole');
  }

  async end(): Promise<void> {}

  async create(context: BatchContext, key: string, o: { overwrite?: boolean }): Promise<'created' | 'exists'> {
    const { bucket, signal } = context;
    if (o.overwrite === true) return bucket.overwrite(key, this.#bytes, signal);
    return bucket.create(key, this.#bytes, { signal });
  }

  async discard(): Promise<void> {
    this.#room.release();
  }
}
