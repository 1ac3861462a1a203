import { SkepError } from '../../errors.ts';
import { isGenuine, readGenerations } from '../sealing/generations.ts';
import { sameMembers } from '../sealing/keyring.ts';
import { openKeyring } from '../sealing/open-keyring.ts';
import { addGeneration } from '../sealing/rotate.ts';
import type { CopyEnd } from './job.ts';

/**
 * How the keys of the target stand to those of the source. same: stored bytes of one are those that the other would have ·
 * older: the same, but the source was rotated since; `lacks` are the recipients of the generations after the target's · other:
 * contents are to be stored anew.
 */
export type KeyMatch = { kind: 'same' | 'other' } | { kind: 'older'; lacks: string[][] };

/** Error: `key-missing`; `key-wrong` when an end does not seal to the recipients that it was opened with. */
export async function matchKeys(source: CopyEnd, target: CopyEnd): Promise<KeyMatch> {
  const [a, b] = [source.vault.keyring, target.vault.keyring];
  if (a.sealed !== b.sealed) return { kind: 'other' };
  if (!a.sealed) return { kind: 'same' };
  const recipients = a.recipients() ?? [];
  const probe = '0'.repeat(64);
  if (a.objectName(probe) !== b.objectName(probe) || !sameMembers(b.expected ?? recipients, recipients)) {
    b.recipients();
    return { kind: 'other' };
  }
  const own = (await readGenerations(target.vault.backend)).at(-1)?.recipients ?? [];
  if (sameMembers(own, recipients)) return { kind: 'same' };
  // Only along the way that the source went: somebody else's recipients are not passed over.
  const { namingKey } = a;
  const generations = (await readGenerations(source.vault.backend)).filter(
    (keys) => namingKey !== undefined && isGenuine(keys, source.descriptor.id, namingKey),
  );
  const at = generations.findLastIndex((keys) => sameMembers(keys.recipients, own));
  if (at >= 0) return { kind: 'older', lacks: generations.slice(at + 1).map((keys) => keys.recipients) };
  const { location } = target.vault.backend;
  throw new SkepError('key-wrong', `${location} seals to recipients that the source has never had`, {
    hint: `If that is meant, name them under \`copies\` in skep.yaml; if not, \`skep keys rotate --of ${location}\`.`,
    context: { location, recipients: own, expected: recipients },
  });
}

/** Rotates the target's keys as those of the source were, and gives it with the newest ones. */
export async function followKeys({ vault, descriptor }: CopyEnd, lacks: readonly string[][]): Promise<CopyEnd> {
  const { backend, keyring } = vault;
  const { namingKey, expected, identities } = keyring;
  if (namingKey === undefined) throw new SkepError('internal', 'keys are followed without the naming key');
  for (const recipients of lacks) await addGeneration(backend, { repository: descriptor.id, recipients, namingKey });
  const given = {
    namingKey: namingKey.toString('hex'),
    identities: [...identities],
    ...(expected === undefined ? {} : { recipients: [...expected] }),
  };
  return { vault: { backend, keyring: await openKeyring(backend, descriptor, given) }, descriptor };
}
