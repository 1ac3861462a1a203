import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { SkepError } from '../../errors.ts';
import { errnoCode } from '../backend/path/fs-error.ts';
import { damageOrWrongKey } from '../damage/wrong-key.ts';
import { type Encoding, objectKey } from '../format/names.ts';
import type { Vault } from '../sealing/keyring.ts';
import { throwIfCancelled } from '../../cancel.ts';
import { decode } from './decode.ts';

/** The plain content; the stream fails with `object-damaged` at its end when the hash differs. */
export async function readObject(
  vault: Vault,
  name: string,
  options: { signal?: AbortSignal; encoding?: Encoding; prefer?: Encoding } = {},
): Promise<Readable> {
  const encoding = options.encoding ?? (await locate(vault, name, options.prefer)).encoding;
  return Readable.from(plainChunks(vault, name, encoding, options.signal), { objectMode: false });
}

/** The plain content in chunks; the last one is followed by `object-damaged` when the hash differs. */
export async function* plainChunks(
  vault: Vault,
  name: string,
  encoding: Encoding,
  signal: AbortSignal | undefined,
): AsyncGenerator<Buffer> {
  const { backend, keyring } = vault;
  const digest = createHash('sha256');
  const key = objectKey(name, encoding);
  const stored = await backend.read(key);
  try {
    for await (const chunk of decode(stored, encoding, keyring.identities)) {
      throwIfCancelled(signal);
      digest.update(chunk);
      yield chunk;
    }
  } catch (error) {
    if (error instanceof SkepError) throw ofObject(await damageOrWrongKey(vault, key, error), name);
    throw new SkepError('repository-failed', `cannot read object ${name}: ${errnoCode(error)}`, { cause: error });
  } finally {
    stored.destroy();
  }
  if (keyring.objectName(digest.digest('hex')) !== name) throw hashMismatch(name);
}

/** What is wrong, with the object that it is about. */
export function ofObject(error: unknown, name: string): unknown {
  if (!(error instanceof SkepError) || !OF_AN_OBJECT.has(error.code)) return error;
  const { code, hint, cause } = error;
  return new SkepError(code, `object ${name}: ${error.message}`, { hint, cause, context: { object: name } });
}

const OF_AN_OBJECT: ReadonlySet<string> = new Set(['object-damaged', 'key-missing', 'key-wrong']);

/** Where the content is, in whichever encoding. `object-missing` when it is not there. */
export async function locate(
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

export function hashMismatch(name: string): SkepError {
  return new SkepError('object-damaged', `object ${name} has another hash`, { context: { object: name } });
}
