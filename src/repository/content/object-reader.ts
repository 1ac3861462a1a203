import { createHash, hash, randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import { open } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { createZstdDecompress } from 'node:zlib';
import { SkepError } from '../../errors.ts';
import type { Backend } from '../backend/backend.ts';
import { errnoCode } from '../backend/path/fs-error.ts';
import { objectKey } from '../format/names.ts';
import type { Encoding } from '../types.ts';
import { throwIfCancelled } from './cancel.ts';

/** Up to this stored size an object is read in one call. */
const SMALL = 256 << 10;

export interface ExtractOptions {
  signal?: AbortSignal;
  /** Permission bits of the new file; 0o640 when absent. */
  mode?: number;
  /** Called with the plain bytes written since the last call. */
  onBytes?: (bytes: number) => void;
}

/** The plain content; the stream fails with `object-damaged` at its end when the hash differs. */
export async function readObject(
  backend: Backend,
  name: string,
  options: { signal?: AbortSignal; encoding?: Encoding } = {},
): Promise<Readable> {
  const encoding = options.encoding ?? (await locate(backend, name)).encoding;
  return Readable.from(plainChunks(backend, name, encoding, options.signal), { objectMode: false });
}

/** Whether a file's name is one that `extract` gives to what it has not yet written in full. */
export function isHalfWritten(name: string): boolean {
  return /^\..+\.[0-9a-f]{12}\.skep$/.test(name);
}

/** See `Repository.extract`. */
export async function extractObject(
  backend: Backend,
  name: string,
  destPath: string,
  options: ExtractOptions = {},
): Promise<number> {
  throwIfCancelled(options.signal);
  const { encoding, storedSize } = await locate(backend, name);
  const temporary = join(
    dirname(destPath),
    `.${basename(destPath).slice(0, 100)}.${randomBytes(6).toString('hex')}.skep`,
  );
  try {
    const size =
      storedSize <= SMALL && encoding === 'raw'
        ? await writeSmall(backend, name, temporary, options)
        : await writeLarge(plainChunks(backend, name, encoding, options.signal), temporary, options);
    // The umask may have taken bits away at creation.
    fs.chmodSync(temporary, options.mode ?? 0o640);
    fs.renameSync(temporary, destPath);
    return size;
  } catch (error) {
    fs.rmSync(temporary, { force: true });
    throw error instanceof SkepError ? error : destinationError(error, destPath);
  }
}

async function writeSmall(backend: Backend, name: string, path: string, options: ExtractOptions): Promise<number> {
  const bytes = await backend.get(objectKey(name, 'raw'));
  if (hash('sha256', bytes) !== name) throw hashMismatch(name);
  fs.writeFileSync(path, bytes, { flag: 'wx', mode: options.mode ?? 0o640 });
  options.onBytes?.(bytes.length);
  return bytes.length;
}

async function writeLarge(chunks: AsyncIterable<Buffer>, path: string, options: ExtractOptions): Promise<number> {
  const handle = await open(path, 'wx', options.mode ?? 0o640);
  let size = 0;
  try {
    for await (const chunk of chunks) {
      for (let done = 0; done < chunk.length;) done += (await handle.write(chunk, done)).bytesWritten;
      size += chunk.length;
      options.onBytes?.(chunk.length);
    }
  } finally {
    await handle.close();
  }
  return size;
}

async function* plainChunks(
  backend: Backend,
  name: string,
  encoding: Encoding,
  signal: AbortSignal | undefined,
): AsyncGenerator<Buffer> {
  const digest = createHash('sha256');
  const stored = await backend.read(objectKey(name, encoding));
  try {
    for await (const chunk of encoding === 'raw' ? stored : decompressed(stored, name)) {
      throwIfCancelled(signal);
      digest.update(chunk as Buffer);
      yield chunk as Buffer;
    }
  } catch (error) {
    if (error instanceof SkepError) throw error;
    throw new SkepError('repository-failed', `cannot read object ${name}: ${errnoCode(error)}`, { cause: error });
  } finally {
    stored.destroy();
  }
  if (digest.digest('hex') !== name) throw hashMismatch(name);
}

async function* decompressed(stored: Readable, name: string): AsyncGenerator<Buffer> {
  const plain = createZstdDecompress();
  stored.on('error', (error) => plain.destroy(error));
  stored.pipe(plain);
  try {
    for await (const chunk of plain) yield chunk as Buffer;
  } catch (error) {
    // A cut stream is Z_BUF_ERROR, any other damage ZSTD_error_….
    if (!/^(Z_|ZSTD_)/.test(errnoCode(error) ?? '')) throw error;
    throw new SkepError('object-damaged', `object ${name} cannot be decompressed`, { cause: error });
  } finally {
    plain.destroy();
  }
}

/** Where the content is, in whichever encoding. `object-missing` when it is not there. */
async function locate(backend: Backend, name: string): Promise<{ encoding: Encoding; storedSize: number }> {
  const [raw, zstd] = await backend.sizes([objectKey(name, 'raw'), objectKey(name, 'zstd')]);
  if (raw !== undefined) return { encoding: 'raw', storedSize: raw };
  if (zstd !== undefined) return { encoding: 'zstd', storedSize: zstd };
  throw new SkepError('object-missing', `object ${name} is not in the repository`, { context: { object: name } });
}

function hashMismatch(name: string): SkepError {
  return new SkepError('object-damaged', `object ${name} has another hash`, { context: { object: name } });
}

function destinationError(error: unknown, path: string): SkepError {
  const code = errnoCode(error);
  const context = { path };
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new SkepError('no-space', `no space to write ${path}`, { cause: error, context });
  }
  return new SkepError('restore-failed', `cannot write ${path}: ${code}`, { cause: error, context });
}
