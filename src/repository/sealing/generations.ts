import { SkepError } from '../../errors.ts';
import type { Backend } from '../backend/backend.ts';
import {
  damagedKeys,
  decodeKeys,
  encodeKeys,
  generationOf,
  type Keys,
  keysKey,
  keysText,
  type StoredKeys,
} from '../format/keys.ts';
import { getOrEmpty } from '../manifests.ts';
import { macOf } from './keyring.ts';
import { openSealedBytes } from './open.ts';
import { sealBytes } from './seal.ts';

/** All generations of keys, oldest first. Error: `repository-damaged`. */
export async function readGenerations(backend: Backend): Promise<Keys[]> {
  return (await findGenerations(backend)).map(({ generation, keys, damage }) => {
    if (damage !== undefined || keys === undefined) throw damage ?? damagedKeys(generation, 'cannot be read');
    return keys;
  });
}

/** The same as they are stored, also those that are damaged. */
export async function findGenerations(backend: Backend): Promise<StoredKeys[]> {
  const generations: number[] = [];
  for await (const { key } of backend.list('keys/')) {
    const generation = generationOf(key);
    if (generation !== undefined) generations.push(generation);
  }
  generations.sort((a, b) => a - b);
  return Promise.all(
    generations.map(async (g) => decodeKeys((await getOrEmpty(backend, keysKey(g))) ?? Buffer.alloc(0), g)),
  );
}

/** Writes one, create-only: false when there is one of that number. */
export async function writeGeneration(
  backend: Backend,
  keys: { repository: string; generation: number; recipients: readonly string[]; namingKey: Buffer },
): Promise<boolean> {
  const { repository, generation, namingKey } = keys;
  const recipients = [...new Set(keys.recipients)];
  const naming = await sealBytes(Buffer.from(`${namingKey.toString('hex')}\n`), recipients);
  const file: Keys = {
    format: 1,
    repository,
    generation,
    createdAt: new Date().toISOString(),
    recipients,
    naming: naming.toString('base64'),
    mac: macOf(namingKey, keysText({ repository, generation, recipients })),
  };
  return (await backend.put(keysKey(generation), encodeKeys(file))) === 'created';
}

/** Whether a holder of the naming key wrote it, for this repository. */
export function isGenuine(keys: Keys, repository: string, namingKey: Buffer): boolean {
  return keys.repository === repository && keys.mac === macOf(namingKey, keysText(keys));
}

/**
 * The naming key from the newest generation that one of the identities opens; one that is damaged is passed over while
 * another serves. Errors: `key-wrong`, `repository-damaged`.
 */
export async function openNamingKey(
  generations: readonly StoredKeys[],
  identities: readonly string[],
): Promise<Buffer> {
  const refused: SkepError[] = [];
  for (const { generation, keys, damage } of generations.toReversed()) {
    try {
      if (keys !== undefined) return await namingKeyIn(keys, identities);
    } catch (error) {
      if (!(error instanceof SkepError) || !UNOPENED.has(error.code)) throw error;
      const fits = error.code === 'object-damaged' || (keys !== undefined && (await isSealedTo(keys, identities)));
      refused.push(fits ? damagedKeys(generation, 'holds no naming key that can be opened', error) : error);
    }
    // Of a damaged one a wrong identity is not told.
    if (damage !== undefined) refused.push(damage);
  }
  const damaged = refused.find((error) => error.code === 'repository-damaged');
  if (damaged !== undefined) throw damaged;
  throw new SkepError('key-wrong', 'the identity is none of those that this repository is sealed to', {
    cause: refused[0],
  });
}

const UNOPENED: ReadonlySet<string> = new Set(['key-wrong', 'object-damaged']);

/** Whether one of the identities must open its naming key, and none does. */
export async function hidesNamingKey(keys: Keys, identities: readonly string[]): Promise<boolean> {
  if (!(await isSealedTo(keys, identities))) return false;
  try {
    await namingKeyIn(keys, identities);
    return false;
  } catch (error) {
    if (!(error instanceof SkepError) || !UNOPENED.has(error.code)) throw error;
    return true;
  }
}

async function isSealedTo({ recipients }: Keys, identities: readonly string[]): Promise<boolean> {
  const { ownRecipient } = await import('./x25519.ts');
  return identities.some((identity) => recipients.includes(ownRecipient(identity)));
}

async function namingKeyIn({ naming }: Keys, identities: readonly string[]): Promise<Buffer> {
  const text = (await openSealedBytes(Buffer.from(naming, 'base64'), identities)).toString('utf8');
  if (/^[0-9a-f]{64}\n$/.test(text)) return Buffer.from(text.trim(), 'hex');
  throw new SkepError('object-damaged', 'it is no naming key');
}
