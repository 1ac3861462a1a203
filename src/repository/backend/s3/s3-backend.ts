import type { Readable } from 'node:stream';
import { SkepError } from '../../../errors.ts';
import type { S3Access } from '../../../s3/access.ts';
import type { Backend, Batch, ByteRange, StoredKey } from '../backend.ts';
import { Deleter } from './delete-keys.ts';
import { abortForgotten } from './leftovers.ts';
import { Memory } from './memory.ts';
import { readObject, readWhole } from '../../../s3/read-object.ts';
import { S3Batch } from './s3-batch.ts';
import { S3Bucket } from './s3-bucket.ts';
import { S3Retention } from './s3-retention.ts';
import { sizesOf } from './sizes.ts';
import { abortNoted } from './upload-notes.ts';

/** Bytes on their way that one backend holds in memory. */
const MEMORY = 64 << 20;

/** A bucket of any S3-compatible storage that creates keys by condition (`If-None-Match: *`). */
export class S3Backend implements Backend {
  readonly location: string;
  readonly keyFirst = true;
  readonly retention: S3Retention;
  readonly #bucket: S3Bucket;
  readonly #deleter: Deleter;
  readonly #memory = new Memory(MEMORY);
  /** What was appended: an object storage has no append, so the key is written anew. */
  readonly #appended = new Map<string, Buffer>();

  constructor(location: string, access: S3Access) {
    this.location = location;
    this.#bucket = new S3Bucket(location, access);
    this.#deleter = new Deleter(this.#bucket);
    this.retention = new S3Retention(this.#bucket);
  }

  async put(
    key: string,
    bytes: Uint8Array,
    options: { overwrite?: boolean; lockUntil?: Date } = {},
  ): Promise<'created' | 'exists'> {
    const { overwrite, lockUntil } = options;
    if (overwrite === true) return this.#bucket.overwrite(key, bytes);
    return this.#bucket.create(key, bytes, lockUntil === undefined ? {} : { lockUntil });
  }

  async append(key: string, bytes: Uint8Array): Promise<void> {
    const before = this.#appended.get(key) ?? (await this.#tryGet(key));
    const all = Buffer.concat([before, bytes]);
    await this.#bucket.overwrite(key, all);
    this.#appended.set(key, all);
  }

  async get(key: string, range?: ByteRange): Promise<Buffer> {
    if (range === undefined || range.end > range.start) return readWhole(this.#bucket, key, range);
    const [size] = await this.sizes([key]);
    if (size === undefined) throw missing(key);
    return Buffer.alloc(0);
  }

  read(key: string, range?: ByteRange): Promise<Readable> {
    return readObject(this.#bucket, key, range);
  }

  sizes(keys: readonly string[]): Promise<(number | undefined)[]> {
    return sizesOf(this.#bucket, keys);
  }

  async names(prefix: string): Promise<ReadonlyMap<string, number>> {
    const names = new Map<string, number>();
    for await (const { key, size } of this.list(prefix)) {
      const name = key.slice(prefix.length);
      if (!name.includes('/')) names.set(name, size);
    }
    return names;
  }

  async *list(prefix: string): AsyncIterable<StoredKey> {
    for await (const page of this.#bucket.pages(prefix)) yield* page;
  }

  async delete(key: string): Promise<boolean> {
    const [size] = await this.sizes([key]);
    if (size === undefined) return false;
    await this.#deleter.deleteKeys([key]);
    return true;
  }

  deleteMany(keys: readonly string[], fence?: () => void): Promise<void> {
    return this.#deleter.deleteKeys(keys, fence);
  }

  refusesOld(key: string): Promise<boolean> {
    return this.#bucket.refusesOld(key);
  }

  async deletePrefix(prefix: string): Promise<void> {
    if (prefix.startsWith('incoming/')) await abortNoted(this.#bucket, prefix);
    await this.#deleter.deletePrefix(prefix);
  }

  /** Uploads that were begun and not noted, and what logs were before they were appended to. */
  async clearLeftovers(): Promise<number> {
    return (await abortForgotten(this.#bucket)) + (await this.#deleter.deleteOldVersions('runs/'));
  }

  openBatch(prefix: string): Batch {
    return new S3Batch({ bucket: this.#bucket, memory: this.#memory, deleter: this.#deleter, prefix });
  }

  async #tryGet(key: string): Promise<Buffer> {
    try {
      return await this.get(key);
    } catch (error) {
      if (error instanceof SkepError && error.code === 'object-missing') return Buffer.alloc(0);
      throw error;
    }
  }
}

function missing(key: string): SkepError {
  return new SkepError('object-missing', `nothing there to read ${key}`);
}
