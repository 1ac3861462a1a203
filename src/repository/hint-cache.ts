import { createHash, randomBytes } from 'node:crypto';
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { errnoCode } from './backend/path/fs-error.ts';
import { SkepError } from '../errors.ts';
import type { StoredObject } from './types.ts';

/** What identifies an unchanged file on a node. */
export interface FileIdentity {
  dev: bigint;
  ino: bigint;
  size: bigint;
  mtimeNs: bigint;
}

/** The content that a file had, and how it was stored. */
export type HintedObject = Pick<StoredObject, 'name' | 'encoding' | 'storedSize' | 'storedSha256'>;

/** Remembers which content a file had when it was read last. Only a hint: the writer still checks the object. */
export interface HintCache {
  get(file: FileIdentity): HintedObject | undefined;
  set(file: FileIdentity, object: HintedObject): void;
  /** Writes the file anew (temporary file, rename) with the hints that were asked for or set since it was opened. */
  save(): Promise<void>;
}

/** dev 8 · ino 8 · size 8 · mtime in ns 8 · name 32 · encoding 1 · stored size 6 · SHA-256 of the stored bytes 32. */
const ROW = 103;
const NAME_END = 64;
const FORM = 71;
const IDENTITY = 32;
const INODE = 16;
const ROWS_PER_CHUNK = 8192;
const MAGIC = 'skep hints 1\n';

/** A cache of another repository, a damaged or an absent one is empty. Memory: about 115 bytes a file. */
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
  /** Open addressing: row + 1, by inode. */
  #slots = new Int32Array(2048);

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
    for (let at = 0; at < rows.length; at += ROW)
      rows.copy(this.#rowFor(rows.subarray(at, at + INODE)), 0, at, at + ROW);
    this.#used.fill(0);
  }

  get(file: FileIdentity): HintedObject | undefined {
    const row = this.#slots[this.#slot(this.#identity(file))]! - 1;
    if (row < 0) return undefined;
    const bytes = this.#row(row);
    if (bytes.compare(this.#scratch, 0, IDENTITY, 0, IDENTITY) !== 0) return undefined;
    this.#used[row] = 1;
    return {
      name: bytes.toString('hex', IDENTITY, NAME_END),
      encoding: bytes[NAME_END] === 0 ? 'raw' : 'zstd',
      storedSize: bytes.readUIntBE(NAME_END + 1, 6),
      storedSha256: bytes.toString('hex', FORM),
    };
  }

  set(file: FileIdentity, object: HintedObject): void {
    const row = this.#rowFor(this.#identity(file));
    this.#scratch.copy(row);
    row.write(object.name, IDENTITY, 'hex');
    row[NAME_END] = object.encoding === 'raw' ? 0 : 1;
    row.writeUIntBE(object.storedSize, NAME_END + 1, 6);
    row.write(object.storedSha256, FORM, 'hex');
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

  /** The row of that inode, a new one if there is none; marked as used. */
  #rowFor(inode: Buffer): Buffer {
    if ((this.#rows + 1) * 2 > this.#slots.length) this.#grow();
    const slot = this.#slot(inode);
    if (this.#slots[slot] === 0) {
      if (this.#rows % ROWS_PER_CHUNK === 0) this.#chunks.push(Buffer.alloc(ROWS_PER_CHUNK * ROW));
      this.#slots[slot] = ++this.#rows;
    }
    const row = this.#slots[slot]! - 1;
    this.#used[row] = 1;
    return this.#row(row);
  }

  #grow(): void {
    this.#slots = new Int32Array(this.#slots.length * 2);
    const used = new Uint8Array(this.#slots.length / 2);
    used.set(this.#used);
    this.#used = used;
    for (let row = 0; row < this.#rows; row++) this.#slots[this.#slot(this.#row(row))] = row + 1;
  }

  /** The slot that holds the inode, or the free one where it belongs. */
  #slot(inode: Buffer): number {
    const mask = this.#slots.length - 1;
    let slot = Math.imul(inode.readUInt32LE(8) ^ Math.imul(inode.readUInt32LE(0), 0x9e3779b1), 0x85ebca6b) >>> 0;
    slot = (slot ^ (slot >>> 15)) & mask;
    for (; this.#slots[slot] !== 0; slot = (slot + 1) & mask) {
      if (this.#row(this.#slots[slot]! - 1).compare(inode, 0, INODE, 0, INODE) === 0) break;
    }
    return slot;
  }

  #row(row: number): Buffer {
    const at = (row % ROWS_PER_CHUNK) * ROW;
    return (this.#chunks[Math.floor(row / ROWS_PER_CHUNK)] as Buffer).subarray(at, at + ROW);
  }
}
