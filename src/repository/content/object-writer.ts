import { hash } from 'node:crypto';
import { SkepError } from '../../errors.ts';
import type { Staged } from '../backend/backend.ts';
import { DamageNotes } from '../damage/notes.ts';
import { recordRenewal } from '../damage/renewals.ts';
import { incomingPrefix, isSealed, objectKey } from '../format/names.ts';
import type { TreeKind } from '../format/piece.ts';
import type { HintCache } from '../hint-cache.ts';
import type { Vault } from '../sealing/keyring.ts';
import type {
  ObjectWriter,
  ObjectWriterOptions,
  PutFileOptions,
  PutStreamOptions,
  StoredForm,
  StoredObject,
  StoredPiece,
  WriterTotals,
} from '../types.ts';
import { throwIfCancelled } from '../../cancel.ts';
import { findObject, hashStored, inspectStored } from './find-object.ts';
import { Buffers } from './buffers.ts';
import { rememberIfSettled } from './remember.ts';
import { NotedObjects } from './noted-objects.ts';
import type { Pace } from './pace.ts';
import { PieceWriter } from './piece-writer.ts';
import { identify, SourceFile } from './source-file.ts';
import { type Pending, Staging } from './staging.ts';
import { type Encoder, encodeWhole, type ReadWatch, storeContent, type StoredContent } from './store-content.ts';
import { hashFile, storeFile } from './store-file.ts';

/** Up to this size a file is read, hashed and staged in single calls. */
const SMALL = 256 << 10;
const SLICE = 1 << 20;

const small = new Buffers(SMALL + 1);

/** Writes contents through a batch of the backend. */
export class BatchObjectWriter implements ObjectWriter {
  readonly totals: WriterTotals = { objects: 0, bytes: 0, newObjects: 0, newBytes: 0 };
  readonly #vault: Vault;
  readonly #staging: Staging;
  readonly #pieces: PieceWriter;
  readonly #notes: DamageNotes;
  readonly #hints: HintCache | undefined;
  readonly #encoder: Encoder;
  readonly #pace: Pace | undefined;
  readonly #noted: NotedObjects;
  /** Objects that are there and may be damaged. */
  readonly #unsure = new Set<string>();
  /** By key: what another writer published first. */
  readonly #others = new Map<string, StoredForm>();

  constructor(vault: Vault, options: ObjectWriterOptions) {
    this.#vault = vault;
    this.#hints = options.hints;
    this.#pace = options.pace;
    this.#encoder = { compression: options.compression ?? 'off', recipients: vault.keyring.recipients() };
    const prefix = incomingPrefix(options.run, options.writer);
    this.#notes = new DamageNotes(vault.backend);
    this.#noted = new NotedObjects(vault, this.#notes);
    this.#staging = new Staging(vault.backend, prefix, {
      onLost: (lost) => this.#adopt(lost),
      onRenewed: (renewed) => this.#noteRenewed(renewed),
    });
    this.#pieces = new PieceWriter(vault, this.#staging, this.#notes);
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
    const sha256 = hash('sha256', bytes);
    if (bytes.length <= SMALL) return this.#putContent(bytes, sha256);
    const found = await this.#find(sha256, bytes.length);
    if (found !== undefined) return this.#count(sha256, bytes.length, found, false);
    return this.#stream('bytes in memory', (...to) => storeContent(slices(bytes), ...to), {});
  }

  async putStream(open: () => Promise<AsyncIterable<Uint8Array>>, options: PutStreamOptions): Promise<StoredObject> {
    this.#check(options.signal);
    const { path, size = Infinity } = options;
    if (size <= SMALL) {
      const bytes = await collect(await open(), this.#watch(options));
      const sha256 = hash('sha256', bytes);
      expectContent(path, sha256, options.expectSha256);
      return this.#putContent(bytes, sha256);
    }
    return this.#stream(path, async (...to) => storeContent(await open(), ...to), options);
  }

  putPiece(kind: TreeKind, plain: Uint8Array): { name: string; stored: Promise<StoredPiece> } {
    this.#check();
    return this.#pieces.put(kind, plain);
  }

  async find(sha256: string, size: number): Promise<StoredObject | undefined> {
    const known = this.#hints?.find(sha256, size);
    if (known === undefined && this.#vault.keyring.sealed) return undefined;
    const name = this.#vault.keyring.objectName(sha256);
    const encoding = known?.encoding ?? 'raw';
    const [storedSize] = await this.#vault.backend.sizes([objectKey(name, encoding)]);
    if (storedSize === undefined || storedSize !== (known?.storedSize ?? size)) return undefined;
    return this.#count(sha256, size, known ?? { encoding, storedSize, storedSha256: sha256 }, false);
  }

  formOf(key: string): StoredForm | undefined {
    return this.#others.get(key);
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
    if (hinted === undefined || (options.expectSha256 ?? hinted.sha256) !== hinted.sha256) return undefined;
    const size = Number(identity.size);
    const form = await this.#find(hinted.sha256, size, hinted);
    return form === undefined ? undefined : this.#count(hinted.sha256, size, form, false);
  }

  async #putSmall(file: SourceFile, size: number, options: PutFileOptions): Promise<StoredObject> {
    const buffer = small.take();
    try {
      // One byte more than the size tells a file that has grown. One that has not its size is read the patient way.
      const n = file.readSync(buffer.subarray(0, size + 1), 0);
      if (n !== size) return await this.#putLarge(file, n, options);
      const content = buffer.subarray(0, n);
      const sha256 = hash('sha256', content);
      expectContent(file.path, sha256, options.expectSha256);
      options.onBytes?.(n);
      return await this.#putContent(content, sha256);
    } finally {
      small.give(buffer);
    }
  }

  async #putContent(content: Uint8Array, sha256: string): Promise<StoredObject> {
    const found = await this.#find(sha256, content.length);
    if (found !== undefined) return this.#count(sha256, content.length, found, false);
    const name = this.#vault.keyring.objectName(sha256);
    const { bytes, form } = await encodeWhole(content, sha256, await this.#encoderOf(name));
    await this.#settle(name, form);
    await this.#pace?.take(bytes.length);
    // Asked again after the wait: another call may have staged the same content meanwhile.
    const staged = this.#staging.object(name);
    if (staged !== undefined) return this.#count(sha256, content.length, staged, false);
    await this.#staging.addBytes(bytes, { name, sha256 }, form);
    return this.#count(sha256, content.length, form, true);
  }

  async #putLarge(file: SourceFile, size: number, options: PutFileOptions): Promise<StoredObject> {
    const expected = options.expectSha256;
    const known = expected === undefined ? undefined : await this.#find(expected, size);
    if (known !== undefined) {
      const read = await hashFile(file, size, this.#encoder, this.#watch(options));
      expectContent(file.path, read.sha256, expected);
      return this.#count(read.sha256, read.size, known, false);
    }
    if (this.#vault.backend.keyFirst === true && options.reread !== true) {
      const stored = await this.#putUnderKey(file, size, expected, this.#watch(options));
      if (stored !== undefined) return stored;
    }
    return this.#stream(file.path, (...to) => storeFile(file, size, ...to), options);
  }

  /** What is not known to be there is staged while it is read. */
  async #stream(
    path: string,
    store: (staged: Staged, encoder: Encoder, watch: ReadWatch) => Promise<StoredContent>,
    options: PutFileOptions,
    encoder: Encoder = this.#encoder,
  ): Promise<StoredObject> {
    const staged = await this.#staging.stage();
    try {
      const read = await store(staged, encoder, this.#watch(options));
      expectContent(path, read.sha256, options.expectSha256);
      const name = this.#vault.keyring.objectName(read.sha256);
      const wanted = await this.#encoderOf(name);
      if (encoder.encoding === undefined && (wanted.encoding ?? read.form.encoding) !== read.form.encoding) {
        await staged.discard();
        return await this.#stream(path, store, options, wanted);
      }
      return await this.#keep(staged, read, await this.#find(read.sha256, read.size));
    } catch (error) {
      await staged.discard();
      throw error;
    }
  }

  /**
   * Reads the file twice, for its name and then for its bytes, so that they need not be kept until the name is known. Where the
   * storage itself compares the hash they go there as they are.
   * Undefined when the file was seen to change in between: then it is to be read once.
   */
  async #putUnderKey(
    file: SourceFile,
    size: number,
    expected: string | undefined,
    watch: ReadWatch,
  ): Promise<StoredObject | undefined> {
    const hashed = await hashFile(file, size, this.#encoder, { check: watch.check });
    const { sha256, size: length } = hashed;
    expectContent(file.path, sha256, expected);
    const found = await this.#find(sha256, length);
    if (found !== undefined) {
      watch.onBytes?.(length);
      return this.#count(sha256, length, found, false);
    }
    const name = this.#vault.keyring.objectName(sha256);
    const encoder = await this.#encoderOf(name);
    const encoding = encoder.encoding ?? hashed.encoding;
    const whole =
      encoding === 'raw' ? await this.#staging.stageSource(() => file.share(hashed, this.#pace)) : undefined;
    if (whole !== undefined) {
      watch.onBytes?.(length);
      const form = { encoding, storedSize: length, storedSha256: sha256 };
      return this.#keep(whole, { sha256, size: length, form });
    }
    const staged = await this.#staging.stage({ key: objectKey(name, encoding), size: length });
    try {
      const read = await storeFile(file, length, staged, encoder, watch);
      if (read.sha256 === sha256) return await this.#keep(staged, read);
      await staged.discard();
      return undefined;
    } catch (error) {
      await staged.discard();
      throw error;
    }
  }

  /** Adds what is staged, unless the content was `found` or another call has staged it meanwhile. */
  async #keep(staged: Staged, { sha256, size, form }: StoredContent, found?: StoredForm): Promise<StoredObject> {
    const name = this.#vault.keyring.objectName(sha256);
    if (found === undefined) await this.#settle(name, form);
    const other = found ?? this.#staging.object(name);
    if (other === undefined) this.#staging.addObject(staged, { name, sha256 }, form);
    else await staged.discard();
    await this.#staging.flushWhenMuch();
    return this.#count(sha256, size, other ?? form, other === undefined);
  }

  async #find(sha256: string, size: number, hinted?: StoredForm): Promise<StoredForm | undefined> {
    const name = this.#vault.keyring.objectName(sha256);
    const staged = this.#staging.object(name);
    if (staged !== undefined) return staged;
    if ((await this.#encoderOf(name)).encoding !== undefined) {
      this.#staging.replaceDamaged(name);
      return undefined;
    }
    const known = hinted ?? this.#hints?.find(sha256, size);
    const compressed = this.#encoder.compression !== 'off';
    const older = () => this.#noted.knownForms();
    const onDamage = (key: string) => this.#notes.add(key, { kind: 'found', by: 'a backup', at: new Date() });
    const options = { compressed, older, onDamage, ...(known === undefined ? {} : { known }) };
    const published = await findObject(this.#vault, { name, sha256, size }, options);
    if (published === 'damaged') this.#staging.replaceDamaged(name);
    else if (published === 'unsure') this.#unsure.add(name);
    return typeof published === 'object' ? published : undefined;
  }

  /** Judges what is there by the form that the content has here. */
  async #settle(name: string, form: StoredForm): Promise<void> {
    if (!this.#unsure.delete(name)) return;
    const [size] = await this.#vault.backend.sizes([objectKey(name, form.encoding)]);
    if (size !== undefined && size !== form.storedSize) this.#staging.replaceDamaged(name);
  }

  async #encoderOf(name: string): Promise<Encoder> {
    const encoding = await this.#noted.encodingOf(name);
    return encoding === undefined ? this.#encoder : { ...this.#encoder, encoding };
  }

  /** It is published and durable. Older backups expect other bytes of what is compressed or sealed. */
  async #noteRenewed({ key, object, form }: Pending): Promise<void> {
    if (isSealed(form.encoding) || (object !== undefined && form.encoding !== 'raw')) {
      await recordRenewal(this.#vault, key, form);
    }
    await this.#notes.clear(key);
  }

  /** Another writer published this first. */
  async #adopt({ key, object, form }: Pending): Promise<void> {
    if (object === undefined) {
      if (!isSealed(form.encoding)) return;
      const theirs = await hashStored(this.#vault, key);
      if (theirs.storedSize !== form.storedSize) throw cutSince(key);
      this.#others.set(key, { ...form, ...theirs });
      return;
    }
    this.totals.newObjects--;
    this.totals.newBytes -= form.storedSize;
    if (form.encoding === 'raw') return;
    const theirs = await inspectStored(this.#vault, object.name, form.encoding);
    if (theirs === undefined) throw new SkepError('object-damaged', `object ${object.name} is damaged as it is stored`);
    // It had the size of ours a moment ago. What is sealed cannot be told to be damaged otherwise.
    if (theirs.storedSize !== form.storedSize) throw cutSince(key);
    this.#others.set(key, theirs);
    this.#hints?.correct(object.sha256, theirs);
  }

  #count(sha256: string, size: number, form: StoredForm, isNew: boolean): StoredObject {
    this.totals.objects++;
    this.totals.bytes += size;
    if (isNew) {
      this.totals.newObjects++;
      this.totals.newBytes += form.storedSize;
    }
    const { encoding, storedSize, storedSha256 } = form;
    return { name: this.#vault.keyring.objectName(sha256), sha256, size, encoding, storedSize, storedSha256, isNew };
  }

  #watch(options: PutFileOptions): ReadWatch {
    return { check: () => this.#check(options.signal), pace: this.#pace, onBytes: options.onBytes };
  }

  #check(signal?: AbortSignal): void {
    throwIfCancelled(signal);
    this.#staging.check();
  }
}

async function collect(chunks: AsyncIterable<Uint8Array>, watch: ReadWatch): Promise<Buffer> {
  const all: Uint8Array[] = [];
  for await (const chunk of chunks) {
    watch.check();
    all.push(chunk);
    watch.onBytes?.(chunk.length);
  }
  return Buffer.concat(all);
}

function cutSince(key: string): SkepError {
  return new SkepError('repository-failed', `${key} has another size than a moment ago`, { retryable: true });
}

/** A content in memory as a large file is read: all of it at once would need room for its stored form too. */
function* slices(bytes: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += SLICE) yield bytes.subarray(at, at + SLICE);
}

function expectContent(path: string, sha256: string, expected: string | undefined): void {
  if (expected === undefined || expected === sha256) return;
  const context = { path, expected, found: sha256 };
  const hint = 'The file is damaged on the node: `skep check` lists such files; put it back from an older backup.';
  throw new SkepError('object-damaged', `the content of ${path} is not the one that was expected`, { context, hint });
}
