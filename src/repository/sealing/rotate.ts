import { SkepError } from '../../errors.ts';
import type { Backend } from '../backend/backend.ts';
import type { KeyGeneration } from '../types.ts';
import { findGenerations, isGenuine, readGenerations, writeGeneration } from './generations.ts';
import { sameMembers, type Vault } from './keyring.ts';

/** See `Repository.keys`. */
export async function listKeys({ backend, keyring }: Vault, repository: string): Promise<KeyGeneration[]> {
  if (!keyring.sealed) return [];
  const { namingKey } = keyring;
  return (await readGenerations(backend)).map((keys) => {
    const { generation, createdAt, recipients } = keys;
    const genuine = namingKey === undefined ? undefined : isGenuine(keys, repository, namingKey);
    return { generation, createdAt, recipients, genuine };
  });
}

/** See `Repository.rotateKeys`. */
export async function rotateKeys(
  { backend, keyring }: Vault,
  repository: string,
  options: { dryRun?: boolean } = {},
): Promise<number> {
  const { namingKey, expected } = keyring;
  if (!keyring.sealed) {
    const hint =
      'Only a new repository can be sealed: set `repository.sealing` in skep.yaml, then run `skep init` for another place.';
    throw new SkepError('usage', 'the repository is not sealed: it has no keys', { hint });
  }
  if (namingKey === undefined || expected === undefined) {
    throw new SkepError('key-missing', 'keys are rotated with the naming key, to the recipients of the configuration');
  }
  const newest = (await findGenerations(backend)).at(-1);
  // Of a damaged one another is wanted.
  const current = newest?.damage === undefined ? newest?.keys : undefined;
  if (current !== undefined && sameMembers(current.recipients, expected)) {
    const hint = 'Put the new recipients into `repository.sealing.recipients` in skep.yaml first.';
    throw new SkepError('usage', 'the repository seals to the recipients of the configuration already', { hint });
  }
  if (options.dryRun === true) return (newest?.generation ?? 0) + 1;
  return addGeneration(backend, { repository, recipients: expected, namingKey });
}

/** Writes the generation after the newest one, and gives its number. Error: `repository-failed` when another run was first. */
export async function addGeneration(
  backend: Backend,
  keys: { repository: string; recipients: readonly string[]; namingKey: Buffer },
): Promise<number> {
  const generation = ((await findGenerations(backend)).at(-1)?.generation ?? 0) + 1;
  if (await writeGeneration(backend, { ...keys, generation })) return generation;
  throw new SkepError('repository-failed', `another run has written generation ${generation} of the keys just now`, {
    retryable: true,
  });
}
