import type { CompletedPart } from '@aws-sdk/client-s3';
import type { Staged } from '../backend.ts';
import type { BatchContext } from './s3-batch.ts';
import type { Room } from './memory.ts';
import { abortUpload, uploadPart } from '../../../s3/multipart.ts';
import { beginUpload, completeUpload, type Upload } from './multipart.ts';

/** The least that the storages take as a part, and how many parts they take. */
const LEAST_PART = 8 << 20;
const MOST_PARTS = 9_000;
/** Parts of one content that are under way while the next one is filled. */
const PARTS_UNDER_WAY = 2;

/**
 * A content on its way to a key that is known: sent in parts while it is produced, or whole when it fits into one. The key
 * appears when it is published, not before.
 */
export class StagedUpload implements Staged {
  readonly key: string;
  readonly #c: BatchContext;
  readonly #announced: number;
  readonly #partSize: number;
  #size = 0;
  #room: Room | undefined;
  #filled = 0;
  #upload: Upload | undefined;
  #forget: (() => Promise<void>) | undefined;
  #next = 1;
  readonly #parts: Promise<CompletedPart>[] = [];

  /** `size` is what the content is expected to have at most: parts of one upload are all of one size. */
  constructor(context: BatchContext, to: { key: string; size: number }) {
    this.key = to.key;
    this.#c = context;
    this.#announced = Math.max(1, to.size);
    this.#partSize = partSize(to.size);
  }

  get size(): number {
    return this.#size;
  }

  async write(chunk: Uint8Array): Promise<void> {
    for (let from = 0; from < chunk.length;) {
      const { bytes } = await this.#roomForMore();
      const n = Math.min(chunk.length - from, Math.min(bytes.length, this.#partSize) - this.#filled);
      bytes.set(chunk.subarray(from, from + n), this.#filled);
      this.#filled += n;
      this.#size += n;
      from += n;
    }
  }

  async end(): Promise<void> {
    if (this.#upload !== undefined && this.#filled > 0) await this.#send();
  }

  /** Makes the key, if nobody has or it may be overwritten. May be called again after `exists`. */
  async create(o: { overwrite?: boolean } = {}): Promise<'created' | 'exists'> {
    const { bucket, signal } = this.#c;
    if (this.#upload !== undefined) {
      const done = await completeUpload(bucket, this.#upload, await Promise.all(this.#parts), { ...o, signal });
      if (done === 'created') this.#upload = undefined;
      return done;
    }
    const bytes = this.#room?.bytes.subarray(0, this.#filled) ?? Buffer.alloc(0);
    if (o.overwrite === true) return bucket.overwrite(this.key, bytes, signal);
    return bucket.create(this.key, bytes, { signal });
  }

  /** After `create`, whatever came of it: gives memory and upload back. */
  async discard(): Promise<void> {
    const [upload, forget] = [this.#upload, this.#forget];
    this.#upload = undefined;
    this.#forget = undefined;
    await Promise.allSettled(this.#parts);
    this.#drop();
    if (upload !== undefined) await abortUpload(this.#c.bucket, upload);
    await forget?.();
  }

  /** Room that is not full. */
  async #roomForMore(): Promise<Room> {
    if (this.#filled === this.#partSize) await this.#send();
    if (this.#room?.bytes.length === this.#filled) this.#room = grown(this.#room, this.#partSize);
    const size = this.#upload === undefined ? Math.min(this.#partSize, this.#announced) : this.#partSize;
    return (this.#room ??= await this.#c.memory.take(size));
  }

  async #send(): Promise<void> {
    const { bucket, signal } = this.#c;
    if (this.#upload === undefined) {
      this.#upload = await beginUpload(bucket, this.key, signal);
      this.#forget = await this.#c.note(this.#upload);
    }
    const room = this.#room as Room;
    const body = room.bytes.subarray(0, this.#filled);
    this.#room = undefined;
    this.#filled = 0;
    const sent = uploadPart(bucket, this.#upload, { number: this.#next++, body }, signal).finally(() => room.release());
    // Whoever ends or goes on gets the failure.
    sent.catch(() => undefined);
    this.#parts.push(sent);
    await this.#parts.at(-1 - PARTS_UNDER_WAY);
  }

  #drop(): void {
    this.#room?.release();
    this.#room = undefined;
    this.#filled = 0;
  }
}

function partSize(size: number): number {
  const least = Math.ceil(size / MOST_PARTS / LEAST_PART) * LEAST_PART;
  return Math.max(LEAST_PART, least);
}

/** For a content that is larger than was announced. It does not wait for memory: who holds some and waits for more may wait for ever. */
function grown(room: Room, size: number): Room {
  const bytes = Buffer.allocUnsafeSlow(size);
  bytes.set(room.bytes);
  return { bytes, release: () => room.release() };
}
