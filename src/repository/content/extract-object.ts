import { hash, randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { WriteBack } from '../backend/path/write-back.ts';
import { damageOrWrongKey } from '../damage/wrong-key.ts';
import { type Encoding, objectKey } from '../format/names.ts';
import type { Vault } from '../sealing/keyring.ts';
import { throwIfCancelled } from '../../cancel.ts';
import { destinationError } from './destination-error.ts';
import { hashMismatch, locate, ofObject, plainChunks } from './object-reader.ts';
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

interface StoredObject {
  name: string;
  encoding: Encoding;
  storedSize: number;
}

/** What it has written has reached the disk, but for what a sync of the filesystem is cheaper for. */
async function writeLarge(vault: Vault, object: StoredObject, path: string, options: ExtractOptions): Promise<number> {
  const handle = await open(path, 'wx', options.mode ?? 0o640);
  const writeBack = new WriteBack(handle.fd, (cause) => destinationError(cause, path));
  try {
    const inThread = vault.backend.openFile !== undefined && fileThreads.worth(object.storedSize);
    const size = await (inThread ? writeInThread : writeHere)(vault, object, { path, handle, writeBack }, options);
    writeBack.end(size);
    await writeBack.settled();
    return size;
  } finally {
    await writeBack.settled().catch(() => undefined);
    await handle.close();
  }
}

interface Target {
  path: string;
  handle: FileHandle;
  writeBack: WriteBack;
}

async function writeHere(
  vault: Vault,
  { name, encoding }: StoredObject,
  { handle, writeBack }: Target,
  { signal, onBytes }: ExtractOptions,
): Promise<number> {
  let size = 0;
  for await (const chunk of plainChunks(vault, name, encoding, signal)) {
    for (let done = 0; done < chunk.length;) done += (await handle.write(chunk, done)).bytesWritten;
    size += chunk.length;
    writeBack.wrote(size);
    onBytes?.(chunk.length);
  }
  return size;
}

async function writeInThread(
  vault: Vault,
  { name, encoding }: StoredObject,
  { path, handle, writeBack }: Target,
  { signal, onBytes }: ExtractOptions,
): Promise<number> {
  const { backend, keyring } = vault;
  const key = objectKey(name, encoding);
  const from = backend.openFile!(key);
  const to = { path, descriptor: handle.fd };
  const watch = { check: () => throwIfCancelled(signal), onBytes };
  try {
    const { sha256, size } = await fileThreads.run(
      { do: 'extract', from, to, encoding, identities: keyring.identities },
      watch,
      { written: (total) => writeBack.wrote(total) },
    );
    if (keyring.objectName(sha256) !== name) throw hashMismatch(name);
    return size;
  } catch (error) {
    throw ofObject(await damageOrWrongKey(vault, key, error), name);
  } finally {
    fs.closeSync(from.descriptor);
  }
}
