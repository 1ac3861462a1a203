import { SkepError, toSkepError } from '../../errors.ts';
import type { Backend, Batch, ConflictPolicy, Staged } from '../backend/backend.ts';
import { objectKey } from '../format/names.ts';
import type { StoredForm } from './compress.ts';

/** What is staged is published from here on, so that staging is bounded and a killed run has lost little. */
const FLUSH_KEYS = 16_384;
const FLUSH_BYTES = 2 * 1024 ** 3;

/** What one writer has staged and not yet published, and whether the writer may still be used. */
export class Staging {
  readonly #batch: Batch;
  /** Objects that are staged or being published, by name. */
  readonly #objects = new Map<string, StoredForm>();
  /** Pieces likewise, by key. */
  readonly #pieces = new Set<string>();
  readonly #damaged = new Set<string>();
  /** What the next flush publishes. */
  #next: { key: string; object?: string }[] = [];
  #nextBytes = 0;
  #flushing: Promise<void> = Promise.resolve();
  #ended: SkepError | undefined;
  /** Called with what another writer published first. */
  readonly #onLost: (form: StoredForm) => void;

  constructor(backend: Backend, prefix: string, onLost: (form: StoredForm) => void) {
    this.#batch = backend.openBatch(prefix);
    this.#onLost = onLost;
  }

  check(): void {
    if (this.#ended !== undefined) throw this.#ended;
  }

  object(name: string): StoredForm | undefined {
    return this.#objects.get(name);
  }

  /** The published compressed form of this object was read and is not its content. */
  replaceDamaged(name: string): void {
    this.#damaged.add(name);
  }

  hasPiece(key: string): boolean {
    return this.#pieces.has(key);
  }

  stage(): Promise<Staged> {
    return this.#guard(() => this.#batch.stage());
  }

  /** An object in memory. It counts as staged from the call on. */
  async addBytes(bytes: Uint8Array, name: string, form: StoredForm): Promise<void> {
    this.#objects.set(name, form);
    this.addObject(await this.#guard(() => this.#batch.stageBytes(bytes)), name, form);
    await this.flushWhenMuch();
  }

  /** `staged` belongs to the staging from here on. */
  addObject(staged: Staged, name: string, form: StoredForm): void {
    this.#objects.set(name, form);
    // Raw bytes of another size are damage for sure; compressed ones may differ and still be good.
    const onConflict = form.encoding === 'raw' || this.#damaged.has(name) ? 'replace' : 'fail';
    this.#add(staged, { key: objectKey(name, form.encoding), object: name }, onConflict);
  }

  async addPiece(bytes: Uint8Array, key: string, onConflict: ConflictPolicy): Promise<void> {
    this.#pieces.add(key);
    this.#add(await this.#guard(() => this.#batch.stageBytes(bytes)), { key }, onConflict);
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

  #add(staged: Staged, item: { key: string; object?: string }, onConflict: ConflictPolicy): void {
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
    for (const { key, object } of items) {
      if (object === undefined) this.#pieces.delete(key);
      else {
        if (existed.has(key)) this.#onLost(this.#objects.get(object) as StoredForm);
        this.#objects.delete(object);
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
