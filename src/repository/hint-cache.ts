import { createHash, randomBytes } from 'node:crypto';
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { errnoCode } from './backend/path/fs-error.ts';
import { SkepError } from '../errors.ts';
import { ENCODINGS, type Encoding } from './format/names.ts';
import { RowIndex } from './row-index.ts';
import type { StoredForm, StoredObject } from './types.ts';

/** What identifies an unchanged file on a node. */
export interface FileIdentity {
  dev: bigint;
  ino: bigint;
  size: bigint;
  mtimeNs: bigint;
}

/** The content that a file had, and how it was stored. */
export type HintedObject = StoredForm & Pick<StoredObject, 'sha256'>;

/** Remembers which content a file had when it was read last. Only a hint: the writer still checks the object. */
export interface HintCache {
  get(file: FileIdentity): HintedObject | undefined;
  set(file: FileIdentity, object: HintedObject): void;
  /** How a content of this SHA-256 and size was stored, whichever file had it. */
  find(sha256: string, size: number): HintedObject | undefined;
  /** The content is stored in another form than was told. */
  correct(sha256: string, form: StoredForm): void;
  /** Writes the file anew (temporary file, rename) with the hints that were asked for or set since it was opened. */
  save(): Promise<void>;
}

/** dev 8 · ino 8 · size 8 · mtime in ns 8 · SHA-256 32 · encoding 1 · stored size 6 · SHA-256 of the stored bytes 32. */
const ROW = 103;
const HASH_END = 64;
const FORM = 71;
const IDENTITY = 32;
const INODE = 16;
const SIZE = 16;
const ROWS_PER_CHUNK = 8192;
const MAGIC = 'skep hints 1\n';

/** A cache of another repository, a damaged or an absent one is empty. Memory: about 120 bytes a file. */
export async function openHintCache(file: string, repositoryId: string): Promise<HintCache> {
  const cache = new FileHintCache(file, repositoryId);
  await cache.load();
  return cache;
}

class FileHintCache implements HintCache {
  readonly #file: string;
  readonly #head: Buffer;
  readonly #chunks: Buffer[] = [];
  readonly #scratch = Buffer.alloc(IDENTITY);
  #rows = 0;
  #used = new Uint8Array(1024);
  readonly #inodes = new RowIndex(0, INODE, (row) => this.#row(row));
  /** Made when it is first asked. */
  #contents: RowIndex | undefined;

  constructor(file: string, repositoryId: string) {
    this.#file = file;
    this.#head = Buffer.from(`${MAGIC}${repositoryId}\n`);
  }

  async load(): Promise<void> {
    let bytes: Buffer;
    try {
      bytes = await readFile(this.#file);
    } catch (error) {
      if (errnoCode(error) === 'ENOENT') return;
      throw new SkepError('file-unreadable', `cannot read ${this.#file}: ${errnoCode(error)}`, { cause: error });
    }
    const rows = bytes.subarray(this.#head.length, -32);
    if (!bytes.subarray(0, this.#head.length).equals(this.#head) || rows.length % ROW !== 0) return;
    if (!createHash('sha256').update(bytes.subarray(0, -32)).digest().equals(bytes.subarray(-32))) return;
    for (let at = 0; at < rows.length; at += ROW) {
      const row = rows.subarray(at, at + ROW);
      row.copy(this.#row(this.#rowFor(row)));
    }
    this.#used.fill(0);
  }

  get(file: FileIdentity): HintedObject | undefined {
    const row = this.#inodes.find(this.#identity(file).subarray(0, INODE));
    if (row < 0) return undefined;
    const bytes = this.#row(row);
    if (bytes.compare(this.#scratch, 0, IDENTITY, 0, IDENTITY) !== 0) return undefined;
    this.#used[row] = 1;
    return describe(bytes);
  }

  find(sha256: string, size: number): HintedObject | undefined {
    const row = (this.#contents ??= this.#indexContents()).find(Buffer.from(sha256, 'hex'));
    if (row < 0 || this.#row(row).readBigUInt64LE(SIZE) !== BigInt(size)) return undefined;
    this.#used[row] = 1;
    return describe(this.#row(row));
  }

  correct(sha256: string, form: StoredForm): void {
    const wanted = Buffer.from(sha256, 'hex');
    for (let i = 0; i < this.#rows; i++) {
      const row = this.#row(i);
      if (row.compare(wanted, 0, 32, IDENTITY, HASH_END) === 0) writeForm(row, form);
    }
  }

  set(file: FileIdentity, object: HintedObject): void {
    const index = this.#rowFor(this.#identity(file));
    const row = this.#row(index);
    this.#scratch.copy(row);
    row.write(object.sha256, IDENTITY, 'hex');
    writeForm(row, object);
    this.#contents?.add(index, this.#rows);
  }

  async save(): Promise<void> {
    await mkdir(dirname(this.#file), { recursive: true });
    const temporary = `${this.#file}.${randomBytes(4).toString('hex')}`;
    const handle = await open(temporary, 'wx', 0o600);
    try {
      const digest = createHash('sha256');
      for (const bytes of this.#content()) {
        digest.update(bytes);
        await handle.appendFile(bytes);
      }
      await handle.appendFile(digest.digest());
      await rename(temporary, this.#file);
    } catch (error) {
      await rm(temporary, { force: true });
      throw new SkepError('file-unreadable', `cannot write ${this.#file}: ${errnoCode(error)}`, { cause: error });
    } finally {
      await handle.close();
    }
  }

  *#content(): Generator<Buffer> {
    yield this.#head;
    for (let start = 0; start < this.#rows; start += ROWS_PER_CHUNK) {
      const kept: Buffer[] = [];
      for (let row = start; row < Math.min(start + ROWS_PER_CHUNK, this.#rows); row++) {
        if (this.#used[row] === 1) kept.push(this.#row(row));
      }
      yield Buffer.concat(kept);
    }
  }

  #identity({ dev, ino, size, mtimeNs }: FileIdentity): Buffer {
    this.#scratch.writeBigUInt64LE(BigInt.asUintN(64, dev), 0);
    this.#scratch.writeBigUInt64LE(BigInt.asUintN(64, ino), 8);
    this.#scratch.writeBigUInt64LE(BigInt.asUintN(64, size), 16);
    this.#scratch.writeBigUInt64LE(BigInt.asUintN(64, mtimeNs), 24);
    return this.#scratch;
  }

  /** The row of that identity's inode, a new one if there is none; marked as used. */
  #rowFor(identity: Buffer): number {
    const known = this.#inodes.find(identity.subarray(0, INODE));
    const row = known < 0 ? this.#addRow(identity) : known;
    this.#used[row] = 1;
    return row;
  }

  #addRow(identity: Buffer): number {
    const row = this.#rows++;
    if (row % ROWS_PER_CHUNK === 0) this.#chunks.push(Buffer.alloc(ROWS_PER_CHUNK * ROW));
    if (row === this.#used.length) {
      const used = new Uint8Array(this.#used.length * 2);
      used.set(this.#used);
      this.#used = used;
    }
    identity.copy(this.#row(row), 0, 0, INODE);
    this.#inodes.add(row, this.#rows);
    return row;
  }

  #indexContents(): RowIndex {
    const index = new RowIndex(IDENTITY, HASH_END, (row) => this.#row(row));
    for (let row = 0; row < this.#rows; row++) index.add(row, this.#rows);
    return index;
  }

  #row(row: number): Buffer {
    const at = (row % ROWS_PER_CHUNK) * ROW;
    return (this.#chunks[Math.floor(row / ROWS_PER_CHUNK)] as Buffer).subarray(at, at + ROW);
  }
}

function writeForm(row: Buffer, form: StoredForm): void {
  row[HASH_END] = ENCODINGS.indexOf(form.encoding);
  row.writeUIntBE(form.storedSize, HASH_END + 1, 6);
  row.write(form.storedSha256, FORM, 'hex');
}

function describe(row: Buffer): HintedObject {
  return {
    sha256: row.toString('hex', IDENTITY, HASH_END),
    encoding: ENCODINGS[row[HASH_END] as number] as Encoding,
    storedSize: row.readUIntBE(HASH_END + 1, 6),
    storedSha256: row.toString('hex', FORM),
  };
}
