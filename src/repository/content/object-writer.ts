import { createHash, hash } from 'node:crypto';
import { SkepError, toSkepError } from '../../errors.ts';
import type { Backend, Batch, ConflictPolicy, Staged } from '../backend/backend.ts';
import { compressPiece, openPiece, type TreeKind } from '../format/piece.ts';
import { incomingPrefix, objectKey, pieceKey } from '../format/names.ts';
import type { HintCache } from '../hint-cache.ts';
import type { ObjectWriter, ObjectWriterOptions, PutFileOptions, StoredObject, WriterTotals } from '../types.ts';
import { throwIfCancelled } from './cancel.ts';
import { identify, SourceFile } from './source-file.ts';
import { readPipelined } from './read-pipelined.ts';
import { rememberIfSettled } from './remember.ts';

/** Up to this size a file is read, hashed and staged in single synchronous calls. */
const SMALL = 256 << 10;
/** What is staged is published from here on, so that staging is bounded and a killed run has lost little. */
const FLUSH_OBJECTS = 16_384;
const FLUSH_BYTES = 2 * 1024 ** 3;

/** Writes contents through a batch of the backend. */
export class BatchObjectWriter implements ObjectWriter {
  readonly totals: WriterTotals = { objects: 0, bytes: 0, newObjects: 0, newBytes: 0 };
  readonly #backend: Backend;
  readonly #batch: Batch;
  readonly #hints: HintCache | undefined;
  /** Keys that are staged or being published, with their stored sizes. */
  readonly #pending = new Map<string, number>();
  /** Keys that the next flush publishes. */
  #staged: string[] = [];
  #stagedBytes = 0;
  #flushing: Promise<void> = Promise.resolve();
  #ended: SkepError | undefined;

  constructor(backend: Backend, options: ObjectWriterOptions) {
    this.#backend = backend;
    this.#hints = options.hints;
    this.#batch = backend.openBatch(incomingPrefix(options.run, options.writer));
  }

  async putFile(path: string, options: PutFileOptions = {}): Promise<StoredObject> {
    this.#check(options.signal);
    const hinted = await this.#fromHint(path, options);
    if (hinted !== undefined) return hinted;
    const file = new SourceFile(path);
    try {
      const size = file.size();
      const before = this.#hints === undefined ? undefined : file.identity();
      const stored =
        size <= SMALL ? await this.#putSmall(file, size, options) : await this.#putLarge(file, size, options);
      if (before !== undefined) rememberIfSettled(this.#hints, before, file.identity(), stored);
      return stored;
    } finally {
      file.close();
    }
  }

  async putBytes(bytes: Uint8Array): Promise<StoredObject> {
    this.#check();
    return this.#putContent(bytes, hash('sha256', bytes));
  }

  async putPiece(name: string, plain: Uint8Array): Promise<void> {
    this.#check();
    const key = pieceKey(name);
    if (this.#pending.has(key)) return;
    const bytes = compressPiece(plain);
    const [found] = await this.#backend.sizes([key]);
    if (found === bytes.length || this.#pending.has(key)) return;
    // Another version of zstd may have made other bytes of the same piece; a damaged one is replaced.
    if (found !== undefined && (await this.#isGoodPiece(name, plain))) return;
    this.#pending.set(key, bytes.length);
    this.#add(await this.#batch.stageBytes(bytes), key, found === undefined ? 'fail' : 'replace');
    await this.#flushWhenMuch();
  }

  async has(name: string, size?: number): Promise<boolean> {
    const [found] = await this.#backend.sizes([objectKey(name, 'raw')]);
    return found !== undefined && (size === undefined || found === size);
  }

  flush(): Promise<void> {
    const mine = this.#flushing.then(() => this.#flushNow());
    // The next flush waits for this one; its failure is known to whoever called this one and kept in #ended.
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

  async #fromHint(path: string, options: PutFileOptions): Promise<StoredObject | undefined> {
    if (this.#hints === undefined) return undefined;
    const identity = identify(path);
    const name = this.#hints.get(identity);
    if (name === undefined || (options.expectSha256 ?? name) !== name) return undefined;
    const size = Number(identity.size);
    if (!(await this.has(name, size))) return undefined;
    return this.#count({ ...raw(name, size), isNew: false });
  }

  async #putSmall(file: SourceFile, size: number, options: PutFileOptions): Promise<StoredObject> {
    // One byte more than the size tells a file that has grown. One that has not its size is read the patient way.
    const buffer = Buffer.allocUnsafe(size + 1);
    const n = file.readSync(buffer, 0);
    if (n !== size) return this.#putLarge(file, n, options);
    const content = buffer.subarray(0, n);
    const name = hash('sha256', content);
    expectName(file.path, name, options.expectSha256);
    options.onBytes?.(n);
    return this.#putContent(content, name);
  }

  async #putContent(content: Uint8Array, name: string): Promise<StoredObject> {
    const key = objectKey(name, 'raw');
    const stored = raw(name, content.length);
    if (this.#pending.has(key) || (await this.has(name, content.length)) || this.#pending.has(key)) {
      return this.#count({ ...stored, isNew: false });
    }
    this.#pending.set(key, content.length);
    this.#add(await this.#staging(() => this.#batch.stageBytes(content)), key, 'replace');
    await this.#flushWhenMuch();
    return this.#count({ ...stored, isNew: true });
  }

  async #putLarge(file: SourceFile, size: number, options: PutFileOptions): Promise<StoredObject> {
    const { expectSha256: expected } = options;
    const known = expected !== undefined && (await this.has(expected, size));
    const digest = createHash('sha256');
    let staged: Staged | undefined;
    try {
      if (!known) staged = await this.#staging(() => this.#batch.stage());
      let total = 0;
      for await (const chunk of readPipelined(file, size)) {
        this.#check(options.signal);
        const writing = staged?.write(chunk);
        digest.update(chunk);
        await writing;
        total += chunk.length;
        options.onBytes?.(chunk.length);
      }
      const name = digest.digest('hex');
      expectName(file.path, name, expected);
      await staged?.end();
      const isNew = staged !== undefined && (await this.#keep(staged, name, total));
      await this.#flushWhenMuch();
      return this.#count({ ...raw(name, total), isNew });
    } catch (error) {
      await staged?.discard();
      throw error;
    }
  }

  async #keep(staged: Staged, name: string, size: number): Promise<boolean> {
    const key = objectKey(name, 'raw');
    if (this.#pending.has(key) || (await this.has(name, size)) || this.#pending.has(key)) {
      await staged.discard();
      return false;
    }
    this.#pending.set(key, size);
    this.#add(staged, key, 'replace');
    return true;
  }

  #add(staged: Staged, key: string, onConflict: ConflictPolicy): void {
    this.#batch.add(staged, key, onConflict);
    this.#staged.push(key);
    this.#stagedBytes += staged.size;
  }

  async #flushWhenMuch(): Promise<void> {
    if (this.#staged.length >= FLUSH_OBJECTS || this.#stagedBytes >= FLUSH_BYTES) await this.flush();
  }

  async #flushNow(): Promise<void> {
    this.#check();
    const keys = this.#staged;
    this.#staged = [];
    this.#stagedBytes = 0;
    const existed = await this.#staging(() => this.#batch.flush());
    for (const key of keys) {
      if (existed.has(key) && key.startsWith('objects/')) {
        this.totals.newObjects--;
        this.totals.newBytes -= this.#pending.get(key) ?? 0;
      }
      this.#pending.delete(key);
    }
  }

  /** After a failure here some content is neither published nor pending: nothing of this writer may be trusted. */
  async #staging<T>(action: () => Promise<T>): Promise<T> {
    try {
      return await action();
    } catch (error) {
      this.#ended ??= toSkepError(error, 'repository-failed');
      throw this.#ended;
    }
  }

  async #isGoodPiece(name: string, plain: Uint8Array): Promise<boolean> {
    const kind: TreeKind = Buffer.from(plain.subarray(0, 24)).includes('"inventory"') ? 'inventory' : 'listing';
    try {
      openPiece(await this.#backend.get(pieceKey(name)), { name, kind });
      return true;
    } catch (error) {
      if (error instanceof SkepError && error.code === 'object-damaged') return false;
      throw error;
    }
  }

  #count(stored: StoredObject): StoredObject {
    this.totals.objects++;
    this.totals.bytes += stored.size;
    if (stored.isNew) {
      this.totals.newObjects++;
      this.totals.newBytes += stored.storedSize;
    }
    return stored;
  }

  #check(signal?: AbortSignal): void {
    throwIfCancelled(signal);
    if (this.#ended !== undefined) throw this.#ended;
  }
}

function raw(name: string, size: number): Omit<StoredObject, 'isNew'> {
  return { name, size, encoding: 'raw', storedSize: size, storedSha256: name };
}

function expectName(path: string, name: string, expected: string | undefined): void {
  if (expected === undefined || expected === name) return;
  const context = { path, expected, found: name };
  const hint = 'The file is damaged on the node: `skep check` lists such files; put it back from an older backup.';
  throw new SkepError('object-damaged', `the content of ${path} is not the one that was expected`, { context, hint });
}
