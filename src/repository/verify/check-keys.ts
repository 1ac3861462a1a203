import type { Backend } from '../backend/backend.ts';
import { keysKey } from '../format/keys.ts';
import { publishedKey } from '../format/names.ts';
import { publishedKeys } from '../format/published.ts';
import { getOrEmpty, publishedIds } from '../manifests.ts';
import { findGenerations, hidesNamingKey, isGenuine } from '../sealing/generations.ts';
import type { Vault } from '../sealing/keyring.ts';
import type { Findings } from './findings.ts';
import type { FindingKind } from './report.ts';

/**
 * The generations of keys: from 1 to the newest that a backup tells of without a gap, each as it was written, and by a
 * holder of the naming key where that is known here. What is wrong hits every backup: which of them are sealed to a generation is not told.
 */
export async function checkKeys(
  { backend, keyring }: Vault,
  repository: string,
  backups: readonly string[],
  findings: Findings,
): Promise<void> {
  if (!keyring.sealed) return;
  const add = (kind: FindingKind, generation: number, message: string) =>
    findings.add({ kind, key: keysKey(generation), message }).backups.push(...backups);
  const { namingKey } = keyring;
  // Before they are listed: keys may be rotated meanwhile, and a backup made with them.
  const told = await toldGeneration(backend);
  let next = 1;
  for (const { generation, keys, damage } of await findGenerations(backend)) {
    if (next < generation) add('keys-missing', next, missing(next, generation - 1));
    next = generation + 1;
    if (damage !== undefined || keys === undefined) {
      add('keys-damaged', generation, damage?.message ?? 'it cannot be read');
    } else if (keys.repository !== repository) {
      add('keys-damaged', generation, `it is of another repository, ${keys.repository}`);
    } else if (namingKey !== undefined && !isGenuine(keys, repository, namingKey)) {
      add('keys-damaged', generation, 'it was not written with the naming key of this repository');
    } else if (await hidesNamingKey(keys, keyring.identities)) {
      add('keys-damaged', generation, 'the naming key that it holds cannot be opened');
    }
  }
  if (next <= told) add('keys-missing', next, `${missing(next, told)}, and a backup was made with ${keysKey(told)}`);
}

/** One finding a gap: its width is not to be trusted. */
function missing(from: number, to: number): string {
  return from === to ? `${keysKey(from)} is not there` : `${keysKey(from)} to ${keysKey(to)} are not there`;
}

/** The newest generation that a backup was published with, as far as that was noted. */
async function toldGeneration(backend: Backend): Promise<number> {
  let newest = 0;
  for (const id of await publishedIds(backend)) {
    const note = await getOrEmpty(backend, publishedKey(id));
    newest = Math.max(newest, (note && publishedKeys(note)) ?? 0);
  }
  return newest;
}
