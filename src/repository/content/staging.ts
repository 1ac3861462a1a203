import { SkepError, toSkepError } from '../../errors.ts';
import type { Backend, Batch, ConflictPolicy, ContentSource, Staged } from '../backend/backend.ts';
import { checkKept } from '../check-kept.ts';
import { objectKey, pieceKey } from '../format/names.ts';
import type { StoredForm, StoredPiece } from '../types.ts';

/** What is staged is published when it is so much or so old, while more is staged: a killed run has lost little. */
const PUBLISH_BYTES = 512 << 20;
const PUBLISH_MS = 10_000;
/** From here on who adds waits for it: staging is bounded. */
const FLUSH_KEYS = 16_384;
const FLUSH_BYTES = 2 * 1024 ** 3;

/** The name of an object, and what it is made of. */
interface ObjectIdentity {
  name: string;
  sha256: string;
}

/** What is staged for a key. */
export interface Pending {
  key: string;
  /** Absent for a piece. */
  object?: ObjectIdentity;
  form: StoredForm;
  /** What is published under the key is damaged. */
  renews: boolean;
}

/** What a writer does about what a flush has published. */
export interface StagingEvents {
  /** Another writer published it first, under a name that says nothing of its bytes. */
  onLost(lost: Pending): Promise<void>;
  /** It has replaced what was damaged. */
  onRenewed(renewed: Pending): Promise<void>;
}

/** What one writer has staged and not yet published, and whether the writer may still be used. */
export class Staging {
  readonly #backend: Backend;
  readonly #batch: Batch;
  /** Objects that are staged or being published, by name. */
  readonly #objects = new Map<string, StoredForm>();
  /** Pieces likewise, by key. */
  readonly #pieces = new Map<string, StoredPiece>();
  readonly #damaged = new Set<string>();
  /** What the next flush publishes. */
  #next: Pending[] = [];
  #nextBytes = 0;
  /** Publishes what has waited long. */
  #timer: NodeJS.Timeout | undefined;
  #isPublishing = false;
  #flushing: Promise<void> = Promise.resolve();
  #ended: SkepError | undefined;
  readonly #events: StagingEvents;

  constructor(backend: Backend, prefix: string, events: StagingEvents) {
    this.#backend = backend;
    this.#batch = backend.openBatch(prefix);
    this.#events = events;
  }

  check(): void {
    if (this.#ended !== undefined) throw this.#ended;
  }

  object(name: string): StoredForm | undefined {
    return this.#objects.get(name);
  }

  /** What is published of this object is not its content. */
  replaceDamaged(name: string): void {
    this.#damaged.add(name);
  }

  piece(key: string): StoredPiece | undefined {
    return this.#pieces.get(key);
  }

  /** See `Batch.stage`. */
  stage(to?: { key: string; size: number }): Promise<Staged> {
    return this.#guard(() => this.#batch.stage(to));
  }

  /** See `Batch.stageSource`; undefined also where a content cannot go straight from its file. */
  async stageSource(open: () => ContentSource): Promise<Staged | undefined> {
    if (this.#batch.stageSource === undefined) return undefined;
    return this.#guard(async () => this.#batch.stageSource?.(open()));
  }

  /** An object in memory. It counts as staged from the call on. */
  async addBytes(bytes: Uint8Array, object: ObjectIdentity, form: StoredForm): Promise<void> {
    this.#objects.set(object.name, form);
    this.addObject(await this.#guard(() => this.#batch.stageBytes(bytes)), object, form);
    await this.flushWhenMuch();
  }

  /** `staged` belongs to the staging from here on. */
  addObject(staged: Staged, object: ObjectIdentity, form: StoredForm): void {
    const { name } = object;
    this.#objects.set(name, form);
    const renews = this.#damaged.has(name);
    // Raw bytes of another size are damage for sure; others may differ and still be good.
    const onConflict = renews ? 'renew' : form.encoding === 'raw' ? 'replace' : 'fail';
    this.#add(staged, { key: objectKey(name, form.encoding), object, form, renews }, onConflict);
  }

  async addPiece(bytes: Uint8Array, piece: StoredPiece, onConflict: 'renew' | 'fail'): Promise<void> {
    const key = pieceKey(piece.name, piece.encoding);
    this.#pieces.set(key, piece);
    this.#add(
      await this.#guard(() => this.#batch.stageBytes(bytes)),
      { key, form: piece, renews: onConflict === 'renew' },
      onConflict,
    );
    await this.flushWhenMuch();
  }

  /** To be called when something was added. */
  async flushWhenMuch(): Promise<void> {
    if (this.#next.length >= FLUSH_KEYS || this.#nextBytes >= FLUSH_BYTES) await this.flush();
    else if (this.#nextBytes >= PUBLISH_BYTES) this.#publish();
  }

  /** A flush that nobody waits for. */
  #publish(): void {
    if (this.#isPublishing || this.#ended !== undefined) return;
    this.#isPublishing = true;
    void this.flush()
      // It is kept in #ended.
      .catch(() => undefined)
      .finally(() => (this.#isPublishing = false));
  }

  flush(): Promise<void> {
    const mine = this.#flushing.then(() => this.#flushNow());
    // The next flush waits for this one; its failure goes to whoever called it and is kept in #ended.
    this.#flushing = mine.catch(() => undefined);
    return mine;
  }

  async close(): Promise<void> {
    await this.flush();
    this.#ended = new SkepError('internal', 'the object writer is closed');
    await this.#batch.close();
  }

  async abort(): Promise<void> {
    this.#ended ??= new SkepError('cancelled', 'the object writer was aborted');
    this.#stopTimer();
    await this.#flushing;
    // What stays behind is removed with the run; the first failure is the one to report.
    await this.#batch.close().catch(() => undefined);
  }

  #stopTimer(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #add(staged: Staged, item: Pending, onConflict: ConflictPolicy): void {
    this.#batch.add(staged, item.key, onConflict);
    this.#next.push(item);
    this.#nextBytes += staged.size;
    this.#timer ??= setTimeout(() => this.#publish(), PUBLISH_MS).unref();
  }

  async #flushNow(): Promise<void> {
    this.check();
    this.#stopTimer();
    const items = this.#next;
    this.#next = [];
    this.#nextBytes = 0;
    const existed = await this.#guard(() => this.#batch.flush());
    // Objects are looked at before the manifest is written; of a listing's leaves nothing tells the size any more then.
    const pieces = items.filter(({ object, key }) => object === undefined && !existed.has(key));
    const written = pieces.map(({ key, form }) => ({ key, size: form.storedSize }));
    if (written.length > 0) await this.#guard(() => checkKept(this.#backend, written));
    for (const item of items) {
      if (existed.has(item.key)) await this.#guard(() => this.#events.onLost(item));
      if (item.renews) await this.#guard(() => this.#events.onRenewed(item));
      if (item.object === undefined) this.#pieces.delete(item.key);
      else {
        this.#objects.delete(item.object.name);
        this.#damaged.delete(item.object.name);
      }
    }
  }

  /** After a failure here some content is neither published nor pending: nothing of this writer may be trusted. */
  async #guard<T>(action: () => Promise<T>): Promise<T> {
    try {
      return await action();
    } catch (error) {
      this.#ended ??= toSkepError(error, 'repository-failed');
      throw this.#ended;
    }
  }
}
