import { createHash } from 'node:crypto';
import { SkepError } from '../../errors.ts';
import { renewalsOf } from '../damage/renewals.ts';
import { type Encoding, isCompressed, isSealed, objectKey } from '../format/names.ts';
import type { KnownForms } from '../known-forms.ts';
import { isSealedSize, MAX_HEADER } from '../sealing/age-header.ts';
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

type Judgement = StoredForm | 'damaged' | 'unsure';

interface FindOptions {
  /** Whether it may be compressed. */
  compressed: boolean;
  /** From a hint. */
  known?: StoredForm;
  /** Told the key of what is damaged, unless its name says what its bytes must be. */
  onDamage: (key: string) => Promise<void>;
  /** What the backups of the repository expect. */
  older: () => Promise<KnownForms>;
}

/**
 * The published form of a content, if there is one that can be trusted: a raw one must have the size; any other must be
 * as it is `known`, or is read: `damaged` when it is seen not to be the content, `unsure` when it can be told only by the
 * size that the content has when it is stored again.
 */
export async function findObject(vault: Vault, wanted: Wanted, options: FindOptions): Promise<Judgement | undefined> {
  const { known } = options;
  const [plain, compressed] = vault.keyring.encodings;
  const candidates = options.compressed || known?.encoding === compressed ? [plain, compressed] : [plain];
  const sizes = await vault.backend.sizes(candidates.map((encoding) => objectKey(wanted.name, encoding)));
  let unfit: 'damaged' | 'unsure' | undefined;
  for (const [i, encoding] of candidates.entries()) {
    const storedSize = sizes[i];
    if (storedSize === undefined) continue;
    const judged = await judge(vault, wanted, { encoding, storedSize }, options);
    if (typeof judged === 'object') return judged;
    unfit = judged;
    if (judged === 'damaged' && encoding !== 'raw') await options.onDamage(objectKey(wanted.name, encoding));
  }
  return unfit;
}

async function judge(
  vault: Vault,
  wanted: Wanted,
  { encoding, storedSize }: { encoding: Encoding; storedSize: number },
  { known, older }: FindOptions,
): Promise<Judgement> {
  const { name, sha256, size } = wanted;
  if (encoding === 'raw') return storedSize === size ? { encoding, storedSize, storedSha256: sha256 } : 'damaged';
  if (known?.encoding === encoding && known.storedSize === storedSize) return known;
  if (isSealed(encoding)) return inspectSealed(vault, wanted, encoding, await older());
  return (await inspectStored(vault, name, encoding)) ?? 'damaged';
}

/**
 * Who only writes cannot open what is sealed. An older backup tells in which bytes it must be; what no backup needs yet was
 * left by a run that failed, or belongs to one that goes on: then its size must be right, which of a compressed one is not known.
 */
async function inspectSealed(
  vault: Vault,
  { name, size }: Wanted,
  encoding: Encoding,
  older: KnownForms,
): Promise<Judgement> {
  const key = objectKey(name, encoding);
  const form = await inspectStored(vault, name, encoding);
  if (form === undefined) return 'damaged';
  if (older.lists(key)) {
    if (older.has(key, form.storedSha256)) return form;
    const renewals = await renewalsOf(vault, key);
    return renewals.some(({ storedSha256 }) => storedSha256 === form.storedSha256) ? form : 'damaged';
  }
  if (isCompressed(encoding)) return 'unsure';
  const begin = await vault.backend.get(key, { start: 0, end: MAX_HEADER });
  return isSealedSize(begin, form.storedSize, size) ? form : 'damaged';
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
