import { keysKey } from '../format/keys.ts';
import { findGenerations, hidesNamingKey, isGenuine } from '../sealing/generations.ts';
import type { Vault } from '../sealing/keyring.ts';
import type { Findings } from './findings.ts';
import type { FindingKind } from './report.ts';

/**
 * The generations of keys: from 1 without a gap, each as it was written, and by a holder of the naming key where that is
 * known here. What is wrong hits every backup: which of them are sealed to a generation is not told.
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
  let next = 1;
  for (const { generation, keys, damage } of await findGenerations(backend)) {
    while (next < generation) add('keys-missing', next++, 'this generation of keys is not there, and a later one is');
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
}
