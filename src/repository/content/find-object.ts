import { createHash } from 'node:crypto';
import { SkepError } from '../../errors.ts';
import type { Backend } from '../backend/backend.ts';
import { objectKey } from '../format/names.ts';
import type { StoredForm } from './compress.ts';
import { readObject } from './object-reader.ts';

/**
 * The published form of a content, if there is one that can be trusted: a raw one must have the size; a compressed one
 * must be as it is `known` (from a hint), or is read and checked as a whole: `damaged` when it is not the content.
 */
export async function findObject(
  backend: Backend,
  name: string,
  size: number,
  options: { compression: 'off' | 'auto'; known?: StoredForm },
): Promise<StoredForm | 'damaged' | undefined> {
  const keys = [objectKey(name, 'raw')];
  if (options.compression === 'auto' || options.known?.encoding === 'zstd') keys.push(objectKey(name, 'zstd'));
  const [raw, zstd] = await backend.sizes(keys);
  if (raw === size) return { encoding: 'raw', storedSize: size, storedSha256: name };
  if (zstd === undefined) return undefined;
  if (options.known?.encoding === 'zstd' && options.known.storedSize === zstd) return options.known;
  return checkCompressed(backend, name, zstd);
}

async function checkCompressed(backend: Backend, name: string, storedSize: number): Promise<StoredForm | 'damaged'> {
  try {
    for await (const _ of await readObject(backend, name, { encoding: 'zstd' })) continue;
    const digest = createHash('sha256');
    for await (const chunk of await backend.read(objectKey(name, 'zstd'))) digest.update(chunk as Buffer);
    return { encoding: 'zstd', storedSize, storedSha256: digest.digest('hex') };
  } catch (error) {
    if (error instanceof SkepError && ['object-damaged', 'object-missing'].includes(error.code)) return 'damaged';
    throw error;
  }
}
