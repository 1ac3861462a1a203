import { createHash, hash, randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import { open } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { SkepError } from '../../errors.ts';
import type { OpenFile } from '../backend/backend.ts';
import { errnoCode } from '../backend/path/fs-error.ts';
import { type Encoding, objectKey } from '../format/names.ts';
import type { Vault } from '../sealing/keyring.ts';
import { throwIfCancelled } from './cancel.ts';
import { decode } from './decode.ts';
import { destinationError } from './destination-error.ts';
import { fileThreads } from './threads/file-threads.ts';

/** Up to this stored size an object is read in one call. */
const SMALL = 256 << 10;

export interface ExtractOptions {
  signal?: AbortSignal;
  /** The form that the listing names, which is looked for first: a failed run may have left half of another. */
  prefer?: Encoding;
  /** Permission bits of the new file; 0o640 when absent. */
  mode?: number;
  /** Called with the plain bytes written since the last call. */
  onBytes?: (bytes: number) => void;
}

/** The plain content; the stream fails with `object-damaged` at its end when the hash differs. */
export async function readObject(
  vault: Vault,
  name: string,
  options: { signal?: AbortSignal; encoding?: Encoding; prefer?: Encoding } = {},
): Promise<Readable> {
  const encoding = options.encoding ?? (await locate(vault, name, options.prefer)).encoding;
  return Readable.from(plainChunks(vault, name, encoding, options.signal), { objectMode: false });
}

/** Whether a file's name is one that `extract` gives to what it has not yet written in full. */
export function isHalfWritten(name: string): boolean {
  return /^\..+\.[0-9a-f]{12}\.skep$/.test(name);
}

/** See `Repository.extract`. */
export async function extractObject(
  vault: Vault,
  name: string,
  destPath: string,
  options: ExtractOptions = {},
): Promise<number> {
  throwIfCancelled(options.signal);
  const { encoding, storedSize } = await locate(vault, name, options.prefer);
  const temporary = join(
    dirname(destPath),
    `.${basename(destPath).slice(0, 100)}.${randomBytes(6).toString('hex')}.skep`,
  );
  try {
    const size =
      storedSize <= SMALL && encoding === 'raw'
        ? await writeSmall(vault, name, temporary, options)
        : await writeLarge(vault, { name, encoding, storedSize }, temporary, options);
    // The umask may have taken bits away at creation.
    fs.chmodSync(temporary, options.mode ?? 0o640);
    fs.renameSync(temporary, destPath);
    return size;
  } catch (error) {
    fs.rmSync(temporary, { force: true });
    throw destinationError(error, destPath);
  }
}

async function writeSmall(vault: Vault, name: string, path: string, options: ExtractOptions): Promise<number> {
  const bytes = await vault.backend.get(objectKey(name, 'raw'));
  if (vault.keyring.objectName(hash('sha256', bytes)) !== name) throw hashMismatch(name);
  fs.writeFileSync(path, bytes, { flag: 'wx', mode: options.mode ?? 0o640 });
  options.onBytes?.(bytes.length);
  return bytes.length;
}

async function writeLarge(
  vault: Vault,
  object: { name: string; encoding: Encoding; storedSize: number },
  path: string,
  options: ExtractOptions,
): Promise<number> {
  const handle = await open(path, 'wx', options.mode ?? 0o640);
  let size = 0;
  try {
    if (vault.backend.openFile !== undefined && fileThreads.worth(object.storedSize)) {
      return await writeInThread(vault, object, { path, descriptor: handle.fd }, options);
    }
    for await (const chunk of plainChunks(vault, object.name, object.encoding, options.signal)) {
      for (let done = 0; done < chunk.length;) done += (await handle.write(chunk, done)).bytesWritten;
      size += chunk.length;
      options.onBytes?.(chunk.length);
    }
  } finally {
    await handle.close();
  }
  return size;
}

async function writeInThread(
  { backend, keyring }: Vault,
  { name, encoding }: { name: string; encoding: Encoding },
  to: OpenFile,
  { signal, onBytes }: ExtractOptions,
): Promise<number> {
  const from = backend.openFile!(objectKey(name, encoding));
  try {
    const { sha256, size } = await fileThreads.run(
      { do: 'extract', from, to, encoding, identities: keyring.identities },
      { check: () => throwIfCancelled(signal), onBytes },
    );
    if (keyring.objectName(sha256) !== name) throw hashMismatch(name);
    return size;
  } catch (error) {
    throw error instanceof SkepError ? ofObject(error, name) : error;
  } finally {
    fs.closeSync(from.descriptor);
  }
}

async function* plainChunks(
  { backend, keyring }: Vault,
  name: string,
  encoding: Encoding,
  signal: AbortSignal | undefined,
): AsyncGenerator<Buffer> {
  const digest = createHash('sha256');
  const stored = await backend.read(objectKey(name, encoding));
  try {
    for await (const chunk of decode(stored, encoding, keyring.identities)) {
      throwIfCancelled(signal);
      digest.update(chunk);
      yield chunk;
    }
  } catch (error) {
    if (error instanceof SkepError) throw ofObject(error, name);
    throw new SkepError('repository-failed', `cannot read object ${name}: ${errnoCode(error)}`, { cause: error });
  } finally {
    stored.destroy();
  }
  if (keyring.objectName(digest.digest('hex')) !== name) throw hashMismatch(name);
}

/** What is wrong, with the object that it is about. */
function ofObject(error: SkepError, name: string): SkepError {
  if (!['object-damaged', 'key-missing', 'key-wrong'].includes(error.code)) return error;
  const { code, hint, cause } = error;
  return new SkepError(code, `object ${name}: ${error.message}`, { hint, cause, context: { object: name } });
}

/** Where the content is, in whichever encoding. `object-missing` when it is not there. */
async function locate(
  { backend, keyring }: Vault,
  name: string,
  prefer: Encoding | undefined,
): Promise<{ encoding: Encoding; storedSize: number }> {
  const [plain, compressed] = keyring.encodings;
  const encodings = prefer === compressed ? [compressed, plain] : [plain, compressed];
  const sizes = await backend.sizes(encodings.map((encoding) => objectKey(name, encoding)));
  for (const [i, encoding] of encodings.entries()) {
    const storedSize = sizes[i];
    if (storedSize !== undefined) return { encoding, storedSize };
  }
  throw new SkepError('object-missing', `object ${name} is not in the repository`, { context: { object: name } });
}

function hashMismatch(name: string): SkepError {
  return new SkepError('object-damaged', `object ${name} has another hash`, { context: { object: name } });
}
