import { createHash, hash } from 'node:crypto';
import { SkepError } from '../../errors.ts';
import type { Backend } from '../backend/backend.ts';
import { incomingPrefix, objectKey, pieceKey } from '../format/names.ts';
import { compressPiece, openPiece, type TreeKind } from '../format/piece.ts';
import type { HintCache } from '../hint-cache.ts';
import type { ObjectWriter, ObjectWriterOptions, PutFileOptions, StoredObject, WriterTotals } from '../types.ts';
import { throwIfCancelled } from './cancel.ts';
import { encodeWhole, RawSink, sampleShrinks, ZstdSink, type Sink, type StoredForm } from './compress.ts';
import { findObject } from './find-object.ts';
import { readPipelined } from './read-pipelined.ts';
import { rememberIfSettled } from './remember.ts';
import { identify, SourceFile } from './source-file.ts';
import { Staging } from './staging.ts';

/** Up to this size a file is read, hashed and staged in single synchronous calls. */
const SMALL = 256 << 10;

/** Writes contents through a batch of the backend. */
export class BatchObjectWriter implements ObjectWriter {
  readonly totals: WriterTotals = { objects: 0, bytes: 0, newObjects: 0, newBytes: 0 };
  readonly #backend: Backend;
  readonly #staging: Staging;
  readonly #hints: HintCache | undefined;
  readonly #compression: 'off' | 'auto';

  constructor(backend: Backend, options: ObjectWriterOptions) {
    this.#backend = backend;
    this.#hints = options.hints;
    this.#compression = options.compression ?? 'off';
    this.#staging = new Staging(backend, incomingPrefix(options.run, options.writer), ({ storedSize }) => {
      this.totals.newObjects--;
      this.totals.newBytes -= storedSize;
    });
  }

  async putFile(path: string, options: PutFileOptions = {}): Promise<StoredObject> {
    this.#check(options.signal);
    const hinted = options.reread ? undefined : await this.#fromHint(path, options);
    if (hinted !== undefined) return hinted;
    const file = new SourceFile(path);
    try {
      const size = file.size();
      const before = this.#hints === undefined || options.reread ? undefined : file.identity();
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
    if (this.#staging.hasPiece(key)) return;
    const bytes = compressPiece(plain);
    const [found] = await this.#backend.sizes([key]);
    if (found === bytes.length || this.#staging.hasPiece(key)) return;
    // Another version of zstd may have made other bytes of the same piece; a damaged one is replaced.
    if (found !== undefined && (await this.#isGoodPiece(name, plain))) return;
    await this.#staging.addPiece(bytes, key, found === undefined ? 'fail' : 'replace');
  }

  async has(name: string, size?: number): Promise<boolean> {
    const [raw, zstd] = await this.#backend.sizes([objectKey(name, 'raw'), objectKey(name, 'zstd')]);
    return zstd !== undefined || (raw !== undefined && (size === undefined || raw === size));
  }

  flush(): Promise<void> {
    return this.#staging.flush();
  }

  close(): Promise<void> {
    return this.#staging.close();
  }

  abort(): Promise<void> {
    return this.#staging.abort();
  }

  async #fromHint(path: string, options: PutFileOptions): Promise<StoredObject | undefined> {
    if (this.#hints === undefined) return undefined;
    const identity = identify(path);
    const hinted = this.#hints.get(identity);
    if (hinted === undefined || (options.expectSha256 ?? hinted.name) !== hinted.name) return undefined;
    const size = Number(identity.size);
    const form = await this.#find(hinted.name, size, hinted);
    return form === undefined ? undefined : this.#count(hinted.name, size, form, false);
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
    // Asked again after the wait: another call may have staged the same content meanwhile.
    const found = (await this.#find(name, content.length)) ?? this.#staging.object(name);
    if (found !== undefined) return this.#count(name, content.length, found, false);
    const { bytes, form } = encodeWhole(content, name, this.#compression);
    await this.#staging.addBytes(bytes, name, form);
    return this.#count(name, content.length, form, true);
  }

  async #putLarge(file: SourceFile, size: number, options: PutFileOptions): Promise<StoredObject> {
    const expected = options.expectSha256;
    const known = expected === undefined ? undefined : await this.#find(expected, size);
    if (known !== undefined) {
      const read = await this.#hashFile(file, size, options);
      return this.#count(read.name, read.size, known, false);
    }
    const staged = await this.#staging.stage();
    let sink: Sink | undefined;
    try {
      const read = await this.#hashFile(file, size, options, (chunk) => {
        const zstd = sink === undefined && this.#compression === 'auto' && sampleShrinks(chunk);
        sink ??= zstd ? new ZstdSink(staged) : new RawSink(staged);
        return sink.write(chunk);
      });
      sink ??= new RawSink(staged);
      await sink.end();
      const found = (await this.#find(read.name, read.size)) ?? this.#staging.object(read.name);
      const form = found ?? sink.form(read.name);
      if (found === undefined) this.#staging.addObject(staged, read.name, form);
      else await staged.discard();
      await this.#staging.flushWhenMuch();
      return this.#count(read.name, read.size, form, found === undefined);
    } catch (error) {
      await sink?.abandon();
      await staged.discard();
      throw error;
    }
  }

  /** Reads the file once; the caller's use of a chunk goes on while it is hashed and the next one is read. */
  async #hashFile(
    file: SourceFile,
    size: number,
    options: PutFileOptions,
    use?: (chunk: Buffer) => Promise<void>,
  ): Promise<{ name: string; size: number }> {
    const digest = createHash('sha256');
    let total = 0;
    for await (const chunk of readPipelined(file, size)) {
      this.#check(options.signal);
      const using = use?.(chunk);
      digest.update(chunk);
      await using;
      total += chunk.length;
      options.onBytes?.(chunk.length);
    }
    const name = digest.digest('hex');
    expectName(file.path, name, options.expectSha256);
    return { name, size: total };
  }

  async #find(name: string, size: number, known?: StoredForm): Promise<StoredForm | undefined> {
    const staged = this.#staging.object(name);
    if (staged !== undefined) return staged;
    const compression = this.#compression;
    const options = known === undefined ? { compression } : { compression, known };
    const published = await findObject(this.#backend, name, size, options);
    if (published === 'damaged') this.#staging.replaceDamaged(name);
    return published === 'damaged' ? undefined : published;
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

  #count(name: string, size: number, form: StoredForm, isNew: boolean): StoredObject {
    this.totals.objects++;
    this.totals.bytes += size;
    if (isNew) {
      this.totals.newObjects++;
      this.totals.newBytes += form.storedSize;
    }
    const { encoding, storedSize, storedSha256 } = form;
    return { name, size, encoding, storedSize, storedSha256, isNew };
  }

  #check(signal?: AbortSignal): void {
    throwIfCancelled(signal);
    this.#staging.check();
  }
}

function expectName(path: string, name: string, expected: string | undefined): void {
  if (expected === undefined || expected === name) return;
  const context = { path, expected, found: name };
  const hint = 'The file is damaged on the node: `skep check` lists such files; put it back from an older backup.';
  throw new SkepError('object-damaged', `the content of ${path} is not the one that was expected`, { context, hint });
}
