import { SkepError } from '../../errors.ts';
import type { RepositoryAccess } from '../access.ts';
import type { Backend } from '../backend/backend.ts';
import type { Descriptor } from '../format/descriptor.ts';
import { keysKey, type StoredKeys } from '../format/keys.ts';
import { findGenerations, isGenuine, openNamingKey } from './generations.ts';
import { Keyring, UNSEALED } from './keyring.ts';

/** The part of the access that opens what is sealed. */
export type GivenKeys = Pick<RepositoryAccess, 'namingKey' | 'recipients' | 'identities'>;

/**
 * Joins what was given with what the repository holds. Without any key a sealed repository can be listed, verified as it
 * is stored, pruned and copied. Errors: `key-wrong`, `repository-damaged`, `config-invalid`.
 */
export async function openKeyring(backend: Backend, descriptor: Descriptor, given: GivenKeys): Promise<Keyring> {
  const { identities = [], recipients: expected } = given;
  if (!descriptor.features.includes('sealed')) {
    if (given.namingKey === undefined && expected === undefined && identities.length === 0) return UNSEALED;
    throw new SkepError('config-invalid', `keys were given for ${backend.location}, which is not sealed`, {
      hint: 'A repository is sealed when it is made: take `sealing` out of skep.yaml, or make another with `skep init`.',
    });
  }
  const generations = await findGenerations(backend);
  const newest = generations.at(-1);
  if (newest === undefined) {
    throw new SkepError('repository-damaged', 'the repository is sealed and has no keys/', {
      hint: 'Put the folder keys/ back from a copy of the repository.',
    });
  }
  const named = given.namingKey === undefined ? undefined : Buffer.from(given.namingKey, 'hex');
  const opened = await openedNamingKey(generations, identities, named !== undefined);
  const namingKey = named ?? opened;
  if (named !== undefined && opened !== undefined && !named.equals(opened)) throw wrongNamingKey(newest);
  const whole = generations.findLast(({ damage }) => damage === undefined);
  if (namingKey !== undefined && whole?.keys !== undefined && !isGenuine(whole.keys, descriptor.id, namingKey)) {
    throw wrongNamingKey(whole);
  }
  const recipients = trustedRecipients(newest, descriptor.id, namingKey);
  return new Keyring({ generation: newest.generation, namingKey, recipients, expected, identities });
}

/** What the identities give; where another source has the key, damage does not matter. */
async function openedNamingKey(
  generations: readonly StoredKeys[],
  identities: readonly string[],
  isGiven: boolean,
): Promise<Buffer | undefined> {
  if (identities.length === 0) return undefined;
  try {
    return await openNamingKey(generations, identities);
  } catch (error) {
    if (isGiven && error instanceof SkepError && error.code === 'repository-damaged') return undefined;
    throw error;
  }
}

/** A damaged generation still tells them where its `mac` is right; else why nothing can be sealed by it. */
function trustedRecipients(
  { keys, damage }: StoredKeys,
  repository: string,
  namingKey: Buffer | undefined,
): readonly string[] | SkepError {
  if (damage === undefined) return keys?.recipients ?? [];
  return keys !== undefined && namingKey !== undefined && isGenuine(keys, repository, namingKey)
    ? keys.recipients
    : damage;
}

function wrongNamingKey({ generation }: StoredKeys): SkepError {
  return new SkepError('key-wrong', `${keysKey(generation)} was not written with this naming key`, {
    hint: 'Give the naming key that `skep init` used; if it is that, someone else has written to the repository.',
  });
}
