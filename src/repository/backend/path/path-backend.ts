import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import { appendFile, open, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { SkepError } from '../../../errors.ts';
import { clockOf, isSettled, stampOf } from '../../../folder-stamp.ts';
import { makeFolder } from '../../../make-folder.ts';
import type { Backend, Batch, ByteRange, OpenFile, StoredKey } from '../backend.ts';
import { errnoCode, repositoryFsError } from './fs-error.ts';
import { clearOldWrites } from './leftovers.ts';
import { linkCreateOnly } from './link.ts';
import { PathBins } from './path-bins.ts';
import { PathBatch } from './path-batch.ts';
import { forEachInSlices } from './slices.ts';
import { PUBLISHED_MODE } from './staged-file.ts';
import { makeFolderDurable, syncFolder } from './sync.ts';

const READ_CHUNK = 1 << 20;
/** Without O_NONBLOCK a named pipe would hold up the whole process. */
const READ_FLAGS = fs.constants.O_RDONLY | fs.constants.O_NONBLOCK;
/** Up to this size one synchronous read is cheaper than the thread pool. */
const SMALL = 256 << 10;

/** A folder on a local or network filesystem with hard links. */
export class PathBackend implements Backend {
  readonly location: string;
  readonly bins: PathBins;

  constructor(location: string) {
    this.location = location;
    this.bins = new PathBins(location);
  }

  async put(key: string, bytes: Uint8Array, options: { overwrite?: boolean } = {}): Promise<'created' | 'exists'> {
    const path = this.#path(key);
    const temporary = this.#path(`incoming/put/${randomBytes(8).toString('hex')}`);
    try {
      makeFolder(dirname(temporary));
      await writeDurable(temporary, bytes);
      makeFolderDurable(dirname(path));
      if (options.overwrite === true) fs.renameSync(temporary, path);
      else if (!linkCreateOnly(temporary, path)) return 'exists';
      syncFolder(dirname(path));
      return 'created';
    } catch (error) {
      throw repositoryFsError(error, `write ${key}`);
    } finally {
      fs.rmSync(temporary, { force: true });
    }
  }

  async append(key: string, bytes: Uint8Array): Promise<void> {
    const path = this.#path(key);
    try {
      makeFolder(dirname(path));
      await appendFile(path, bytes, { mode: 0o640 });
    } catch (error) {
      throw repositoryFsError(error, `append to ${key}`);
    }
  }

  async get(key: string, range?: ByteRange): Promise<Buffer> {
    let fd: number | undefined;
    try {
      fd = fs.openSync(this.#path(key), READ_FLAGS);
      const stat = fs.fstatSync(fd);
      if (!stat.isFile()) throw notAFile(key);
      const start = range?.start ?? 0;
      const end = Math.min(range?.end ?? Infinity, stat.size);
      const bytes = Buffer.allocUnsafe(Math.max(0, end - start));
      if (bytes.length <= SMALL) return bytes.subarray(0, readFullySync(fd, bytes, start));
      return bytes.subarray(0, await readFully(fd, bytes, start));
    } catch (error) {
      throw repositoryFsError(error, `read ${key}`);
    } finally {
      if (fd !== undefined) fs.closeSync(fd);
    }
  }

  async read(key: string, range?: ByteRange): Promise<Readable> {
    try {
      const handle = await open(this.#path(key), READ_FLAGS);
      if (!(await handle.stat()).isFile()) {
        await handle.close();
        throw notAFile(key);
      }
      const bounds = range === undefined ? {} : { start: range.start, end: range.end - 1 };
      const stream = handle.createReadStream({ highWaterMark: READ_CHUNK, ...bounds });
      const destroy = stream._destroy.bind(stream);
      // What fails on the way is told as what fails at the beginning.
      stream._destroy = (error, done) => destroy(error && repositoryFsError(error, `read ${key}`), done);
      return stream;
    } catch (error) {
      throw repositoryFsError(error, `read ${key}`);
    }
  }

  openFile(key: string): OpenFile {
    const path = this.#path(key);
    try {
      return { path, descriptor: fs.openSync(path, READ_FLAGS) };
    } catch (error) {
      throw repositoryFsError(error, `read ${key}`);
    }
  }

  async sizes(keys: readonly string[]): Promise<(number | undefined)[]> {
    const sizes: (number | undefined)[] = [];
    await forEachInSlices(keys, (key) => sizes.push(this.#stat(key)?.size));
    return sizes;
  }

  async names(prefix: string): Promise<ReadonlyMap<string, number | undefined>> {
    const names = new Map<string, undefined>();
    try {
      const folder = fs.opendirSync(this.#path(prefix), { bufferSize: 1024 });
      for (let e = folder.readSync(); e !== null; e = folder.readSync())
        if (!e.isDirectory()) names.set(e.name, undefined);
      folder.closeSync();
    } catch (error) {
      if (errnoCode(error) !== 'ENOENT') throw repositoryFsError(error, `list ${prefix}`);
    }
    return names;
  }

  async marks(prefixes: readonly string[]): Promise<(string | undefined)[]> {
    const place = this.#path('incoming/put');
    try {
      makeFolder(place);
    } catch (error) {
      throw repositoryFsError(error, `make ${place}`);
    }
    // Before all stamps: what changes after one of them is not earlier than this.
    const now = clockOf(place);
    const marks: (string | undefined)[] = [];
    await forEachInSlices(prefixes, (prefix) => {
      const stamp = stampOf(this.#path(prefix));
      marks.push(stamp?.isSure === true && isSettled(stamp, now) ? stamp.stamp : undefined);
    });
    return marks;
  }

  async *list(prefix: string): AsyncIterable<StoredKey> {
    let entries: fs.Dirent[];
    try {
      entries = fs.readdirSync(this.#path(prefix), { withFileTypes: true });
    } catch (error) {
      if (errnoCode(error) === 'ENOENT') return;
      throw repositoryFsError(error, `list ${prefix}`);
    }
    for (const entry of entries) {
      const key = `${prefix}${entry.name}`;
      if (entry.isDirectory()) yield* this.list(`${key}/`);
      else {
        const stat = this.#stat(key);
        if (stat !== undefined) yield { key, size: stat.size, modifiedMs: stat.mtimeMs };
      }
    }
  }

  async delete(key: string): Promise<boolean> {
    const path = this.#path(key);
    try {
      fs.unlinkSync(path);
      syncFolder(dirname(path));
      return true;
    } catch (error) {
      if (errnoCode(error) === 'ENOENT') return false;
      throw repositoryFsError(error, `delete ${key}`);
    }
  }

  async deleteMany(keys: readonly string[]): Promise<void> {
    const folders = new Set<string>();
    await forEachInSlices(keys, (key) => {
      const path = this.#path(key);
      try {
        fs.unlinkSync(path);
        folders.add(dirname(path));
      } catch (error) {
        if (errnoCode(error) !== 'ENOENT') throw repositoryFsError(error, `delete ${key}`);
      }
    });
    await forEachInSlices(folders, syncFolder);
  }

  async deletePrefix(prefix: string): Promise<void> {
    try {
      await rm(this.#path(prefix), { recursive: true, force: true });
    } catch (error) {
      throw repositoryFsError(error, `delete ${prefix}`);
    }
  }

  async clearLeftovers(): Promise<number> {
    return clearOldWrites(this.#path('incoming/put'));
  }

  openBatch(prefix: string): Batch {
    return new PathBatch(this.location, prefix);
  }

  #stat(key: string): fs.Stats | undefined {
    try {
      return fs.statSync(this.#path(key), { throwIfNoEntry: false });
    } catch (error) {
      throw repositoryFsError(error, `look at ${key}`);
    }
  }

  #path(key: string): string {
    return join(this.location, key);
  }
}

function notAFile(key: string): SkepError {
  return new SkepError('object-damaged', `${key} is not a regular file`, { context: { key } });
}

async function writeDurable(path: string, bytes: Uint8Array): Promise<void> {
  const handle = await open(path, 'wx', PUBLISHED_MODE);
  try {
    await handle.writeFile(bytes);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function readFullySync(fd: number, into: Buffer, position: number): number {
  let done = 0;
  while (done < into.length) {
    const n = fs.readSync(fd, into, done, into.length - done, position + done);
    if (n === 0) break;
    done += n;
  }
  return done;
}

async function readFully(fd: number, into: Buffer, position: number): Promise<number> {
  let done = 0;
  while (done < into.length) {
    const n = await new Promise<number>((resolve, reject) =>
      fs.read(fd, into, done, into.length - done, position + done, (e, read) => (e ? reject(e) : resolve(read))),
    );
    if (n === 0) break;
    done += n;
  }
  return done;
}
