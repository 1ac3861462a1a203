import { SkepError } from '../../errors.ts';
import type { RepositoryAccess } from '../access.ts';
import type { Backend } from '../backend/backend.ts';
import type { Descriptor } from '../format/descriptor.ts';
import { type Keys, keysKey } from '../format/keys.ts';
import { isGenuine, openNamingKey, readGenerations } from './generations.ts';
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
  const generations = await readGenerations(backend);
  const newest = generations.at(-1);
  if (newest === undefined) {
    throw new SkepError('repository-damaged', 'the repository is sealed and has no keys/', {
      hint: 'Put the folder keys/ back from a copy of the repository.',
    });
  }
  const named = given.namingKey === undefined ? undefined : Buffer.from(given.namingKey, 'hex');
  const opened = identities.length === 0 ? undefined : await openNamingKey(generations, identities);
  const namingKey = named ?? opened;
  if (named !== undefined && opened !== undefined && !named.equals(opened)) throw wrongNamingKey(newest);
  if (namingKey !== undefined && !isGenuine(newest, descriptor.id, namingKey)) throw wrongNamingKey(newest);
  return new Keyring({ namingKey, recipients: newest.recipients, expected, identities });
}

function wrongNamingKey({ generation }: Keys): SkepError {
  return new SkepError('key-wrong', `${keysKey(generation)} was not written with this naming key`, {
    hint: 'Give the naming key that `skep init` used; if it is that, someone else has written to the repository.',
  });
}
