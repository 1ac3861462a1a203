import { SkepError } from '../../errors.ts';
import type { Backend } from '../backend/backend.ts';
import { decodeKeys, encodeKeys, generationOf, type Keys, keysKey, keysText } from '../format/keys.ts';
import { macOf } from './keyring.ts';
import { openSealedBytes } from './open.ts';
import { sealBytes } from './seal.ts';

/** All generations of keys, oldest first. Error: `repository-damaged`. */
export async function readGenerations(backend: Backend): Promise<Keys[]> {
  const generations: number[] = [];
  for await (const { key } of backend.list('keys/')) {
    const generation = generationOf(key);
    if (generation !== undefined) generations.push(generation);
  }
  generations.sort((a, b) => a - b);
  return Promise.all(generations.map(async (g) => decodeKeys(await backend.get(keysKey(g)), g)));
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

/** The naming key from the newest generation that one of the identities opens. Error: `key-wrong`. */
export async function openNamingKey(generations: readonly Keys[], identities: readonly string[]): Promise<Buffer> {
  let refused: SkepError | undefined;
  for (const { naming } of generations.toReversed()) {
    try {
      const text = (await openSealedBytes(Buffer.from(naming, 'base64'), identities)).toString('utf8');
      if (/^[0-9a-f]{64}\n$/.test(text)) return Buffer.from(text.trim(), 'hex');
      throw new SkepError('repository-damaged', 'what keys/ holds is no naming key');
    } catch (error) {
      if (!(error instanceof SkepError) || error.code !== 'key-wrong') throw error;
      refused ??= error;
    }
  }
  throw new SkepError('key-wrong', 'the identity is none of those that this repository is sealed to', {
    cause: refused,
  });
}
