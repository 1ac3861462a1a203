import { SkepError, toSkepError } from '../../errors.ts';
import type { Backend, Batch, ConflictPolicy, Staged } from '../backend/backend.ts';
import { checkKept } from '../check-kept.ts';
import { objectKey, pieceKey } from '../format/names.ts';
import type { StoredForm, StoredPiece } from '../types.ts';

/** What is staged is published from here on, so that staging is bounded and a killed run has lost little. */
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
  #flushing: Promise<void> = Promise.resolve();
  #ended: SkepError | undefined;
  readonly #onLost: (lost: Pending) => Promise<void>;

  /** `onLost` is called with what another writer published first, under a name that says nothing of its size. */
  constructor(backend: Backend, prefix: string, onLost: (lost: Pending) => Promise<void>) {
    this.#backend = backend;
    this.#batch = backend.openBatch(prefix);
    this.#onLost = onLost;
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
    // Raw bytes of another size are damage for sure; others may differ and still be good.
    const onConflict = form.encoding === 'raw' || this.#damaged.has(name) ? 'replace' : 'fail';
    this.#add(staged, { key: objectKey(name, form.encoding), object, form }, onConflict);
  }

  async addPiece(bytes: Uint8Array, piece: StoredPiece, onConflict: ConflictPolicy): Promise<void> {
    const key = pieceKey(piece.name, piece.encoding);
    this.#pieces.set(key, piece);
    this.#add(await this.#guard(() => this.#batch.stageBytes(bytes)), { key, form: piece }, onConflict);
    await this.flushWhenMuch();
  }

  /** To be called when something was added. */
  async flushWhenMuch(): Promise<void> {
    if (this.#next.length >= FLUSH_KEYS || this.#nextBytes >= FLUSH_BYTES) await this.flush();
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
    await this.#flushing;
    // What stays behind is removed with the run; the first failure is the one to report.
    await this.#batch.close().catch(() => undefined);
  }

  #add(staged: Staged, item: Pending, onConflict: ConflictPolicy): void {
    this.#batch.add(staged, item.key, onConflict);
    this.#next.push(item);
    this.#nextBytes += staged.size;
  }

  async #flushNow(): Promise<void> {
    this.check();
    const items = this.#next;
    this.#next = [];
    this.#nextBytes = 0;
    const existed = await this.#guard(() => this.#batch.flush());
    // Objects are looked at before the manifest is written; of a listing's leaves nothing tells the size any more then.
    const pieces = items.filter(({ object }) => object === undefined);
    const written = pieces.map(({ key, form }) => ({ key, size: form.storedSize }));
    if (written.length > 0) await this.#guard(() => checkKept(this.#backend, written));
    for (const item of items) {
      if (existed.has(item.key)) await this.#guard(() => this.#onLost(item));
      if (item.object === undefined) this.#pieces.delete(item.key);
      else this.#objects.delete(item.object.name);
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
