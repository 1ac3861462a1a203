import { randomBytes } from 'node:crypto';
import { basename } from 'node:path';
import { SkepError, toSkepError } from '../../../errors.ts';
import type { Batch, ConflictPolicy, ContentSource, Staged } from '../backend.ts';
import type { Deleter } from './delete-keys.ts';
import type { Memory } from './memory.ts';
import type { Upload } from './multipart.ts';
import type { S3Bucket } from './s3-bucket.ts';
import { StagedBytes } from './staged-bytes.ts';
import { StagedSource } from './staged-source.ts';
import { StagedSpool } from './staged-spool.ts';
import { StagedUpload } from './staged-upload.ts';
import { noteUpload } from './upload-notes.ts';

/** A storage copies no more than this by itself. */
const MOST_COPIED = 5 * 1024 ** 3;
/** More than this goes in parts: what is interrupted begins anew. */
const MOST_AT_ONCE = 512 << 20;
/** What a large content takes of the memory while it is sent: so many are on their way at once. */
const COUNTED = 16 << 20;

/** What a content on its way needs. */
export interface BatchContext {
  bucket: S3Bucket;
  /** For what is on its way. */
  memory: Memory;
  /** Ends requests when the batch is closed. */
  signal: AbortSignal;
  /** Notes an upload, so that it can be aborted when this process dies; the result removes the note. */
  note(upload: Upload): Promise<() => Promise<void>>;
}

type S3Staged = StagedBytes | StagedSource | StagedSpool | StagedUpload;

/**
 * Sends contents as soon as they are added: a key of an object storage appears whole and durable, or not at all. `flush`
 * waits for them.
 */
export class S3Batch implements Batch {
  readonly #context: BatchContext;
  readonly #closing = new AbortController();
  readonly #open = new Set<S3Staged>();
  #group = new Map<string, Promise<'created' | 'exists'>>();
  #failure: SkepError | undefined;

  constructor(o: { bucket: S3Bucket; memory: Memory; deleter: Deleter; prefix: string }) {
    const { bucket, memory, deleter, prefix } = o;
    const note = (upload: Upload) => noteUpload(bucket, deleter, prefix, upload);
    this.#context = { bucket, memory, signal: this.#closing.signal, note };
  }

  async stage(to?: { key: string; size: number }): Promise<Staged> {
    this.#check();
    return this.#opened(to === undefined ? await StagedSpool.open() : new StagedUpload(this.#context, to));
  }

  async stageBytes(bytes: Uint8Array): Promise<Staged> {
    this.#check();
    return this.#opened(new StagedBytes(bytes, await this.#context.memory.take(bytes.length)));
  }

  async stageSource(source: ContentSource): Promise<Staged | undefined> {
    try {
      this.#check();
      if (source.size <= MOST_AT_ONCE) {
        const release = await this.#context.memory.count(Math.min(source.size, COUNTED));
        return this.#opened(new StagedSource(source, release));
      }
    } catch (error) {
      source.close();
      throw error;
    }
    source.close();
    return undefined;
  }

  add(staged: Staged, key: string, onConflict: ConflictPolicy): void {
    const mine = staged as S3Staged;
    if (!this.#open.has(mine) || (mine instanceof StagedUpload && mine.key !== key)) {
      throw new SkepError('internal', 'staged by another backend, or for another key');
    }
    const publishing = this.#publish(mine, key, onConflict);
    // The next call fails; `flush` throws it too.
    publishing.catch((error: unknown) => (this.#failure ??= toSkepError(error, 'repository-failed')));
    this.#group.set(key, publishing);
  }

  async flush(): Promise<ReadonlySet<string>> {
    const group = this.#group;
    this.#group = new Map();
    await Promise.allSettled(group.values());
    const failure = this.#failure;
    this.#failure = undefined;
    if (failure !== undefined) throw failure;
    const existed = new Set<string>();
    for (const [key, publishing] of group) if ((await publishing) === 'exists') existed.add(key);
    return existed;
  }

  async close(): Promise<void> {
    this.#closing.abort(new SkepError('cancelled', 'the writing into the repository was ended'));
    await Promise.allSettled(this.#group.values());
    this.#group.clear();
    const ended = await Promise.allSettled([...this.#open].map((staged) => staged.discard()));
    for (const end of ended) if (end.status === 'rejected') throw end.reason;
  }

  #check(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  #opened(staged: S3Staged): Staged {
    this.#open.add(staged);
    return staged;
  }

  async #publish(staged: S3Staged, key: string, onConflict: ConflictPolicy): Promise<'created' | 'exists'> {
    try {
      if ((await create(staged, this.#context, key)) === 'created') return 'created';
      const { bucket, signal } = this.#context;
      const found = (await bucket.head(key, signal))?.size;
      if (found === staged.size && onConflict !== 'renew') return 'exists';
      if (onConflict === 'fail') {
        const message = `${key} has ${found ?? 'no'} bytes, not ${staged.size}`;
        throw new SkepError('repository-failed', message, { retryable: true });
      }
      if (found !== undefined && found <= MOST_COPIED) await this.#keepDamaged(key);
      return await create(staged, this.#context, key, { overwrite: true });
    } finally {
      this.#open.delete(staged);
      await staged.discard();
    }
  }

  /** Damage is kept for whoever wants to look at it. */
  #keepDamaged(key: string): Promise<void> {
    return this.#context.bucket.copy(key, `damaged/${basename(key)}-${randomBytes(4).toString('hex')}`);
  }
}

function create(
  staged: S3Staged,
  context: BatchContext,
  key: string,
  o: { overwrite?: boolean } = {},
): Promise<'created' | 'exists'> {
  return staged instanceof StagedUpload ? staged.create(o) : staged.create(context, key, o);
}
