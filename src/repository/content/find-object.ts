import { createHash } from 'node:crypto';
import { SkepError } from '../../errors.ts';
import { type Encoding, isSealed, objectKey } from '../format/names.ts';
import type { Vault } from '../sealing/keyring.ts';
import type { StoredForm } from '../types.ts';
import { readObject } from './object-reader.ts';

/** A content that is looked for. */
interface Wanted {
  name: string;
  sha256: string;
  /** Plain size. */
  size: number;
}

/**
 * The published form of a content, if there is one that can be trusted: a raw one must have the size; any other must be
 * as it is `known` (from a hint), or is read: `damaged` when it is seen not to be the content.
 */
export async function findObject(
  vault: Vault,
  wanted: Wanted,
  options: { compressed: boolean; known?: StoredForm },
): Promise<StoredForm | 'damaged' | undefined> {
  const { known } = options;
  const [plain, compressed] = vault.keyring.encodings;
  const candidates = options.compressed || known?.encoding === compressed ? [plain, compressed] : [plain];
  const sizes = await vault.backend.sizes(candidates.map((encoding) => objectKey(wanted.name, encoding)));
  let damaged = false;
  for (const [i, encoding] of candidates.entries()) {
    const storedSize = sizes[i];
    if (storedSize === undefined) continue;
    const form = await formOf(vault, wanted, { encoding, storedSize, known });
    if (form !== undefined) return form;
    damaged = true;
  }
  return damaged ? 'damaged' : undefined;
}

async function formOf(
  vault: Vault,
  { name, sha256, size }: Wanted,
  found: { encoding: Encoding; storedSize: number; known: StoredForm | undefined },
): Promise<StoredForm | undefined> {
  const { encoding, storedSize, known } = found;
  if (encoding === 'raw') return storedSize === size ? { encoding, storedSize, storedSha256: sha256 } : undefined;
  if (known?.encoding === encoding && known.storedSize === storedSize) return known;
  return inspectStored(vault, name, encoding);
}

/** The form of what is stored, read from its first byte to its last; undefined when it is seen not to be the content. */
export async function inspectStored(vault: Vault, name: string, encoding: Encoding): Promise<StoredForm | undefined> {
  try {
    // Who only writes cannot open what is sealed.
    if (!isSealed(encoding)) for await (const _ of await readObject(vault, name, { encoding })) continue;
    return { encoding, ...(await hashStored(vault, objectKey(name, encoding))) };
  } catch (error) {
    if (error instanceof SkepError && ['object-damaged', 'object-missing'].includes(error.code)) return undefined;
    throw error;
  }
}

/** Size and SHA-256 of stored bytes. */
export async function hashStored(vault: Vault, key: string): Promise<Omit<StoredForm, 'encoding'>> {
  const digest = createHash('sha256');
  let storedSize = 0;
  for await (const chunk of await vault.backend.read(key)) {
    digest.update(chunk as Buffer);
    storedSize += (chunk as Buffer).length;
  }
  const [size] = await vault.backend.sizes([key]);
  // A stream that ends too early tells of other bytes than are there, and a listing would keep that.
  if (size !== undefined && size !== storedSize) {
    throw new SkepError('repository-failed', `${storedSize} of the ${size} bytes of ${key} were read`);
  }
  return { storedSize, storedSha256: digest.digest('hex') };
}
