import { SkepError } from '../../errors.ts';
import { incomingPrefix } from '../format/names.ts';
import { neededKeys, type NeededKey } from '../needed-keys.ts';
import { KeySet } from '../prune/key-set.ts';
import { publishManifest } from '../publish.ts';
import { holdsRenewal } from '../verify/check-objects.ts';
import type { Chosen } from './choose.ts';
import { publishing, type CopyJob } from './job.ts';
import { damageFound, StoredCopier, type CopyTotals } from './stored-copier.ts';

const GROUP = 1024;

/**
 * Copies a backup as it is stored, between repositories with the same keys or none. Undefined where either has some of it in
 * another form than the backup's inventory tells: then it is to be copied by its contents. Errors: `damage-found`, and `key-missing` where that needs a key.
 */
export async function copyStored(
  { source, target, lease, known, options }: CopyJob,
  one: Chosen,
): Promise<CopyTotals | undefined> {
  const { signal } = options;
  const prefix = incomingPrefix(options.owner.run, 'copy');
  const copier = new StoredCopier(source.vault.backend, target.vault.backend, {
    prefix,
    known,
    signal,
    ...(options.onBytes === undefined ? {} : { onBytes: options.onBytes }),
  });
  try {
    for await (const group of distinctGroups(neededKeys(source.vault, one.manifest))) await copier.copy(group);
    await copier.flush();
  } finally {
    await copier.close();
  }
  const otherForms = [...copier.otherForms];
  const damages = [];
  for (const damage of copier.damages) {
    // Stored anew after damage, in other bytes than this backup's inventory expects.
    if (await holdsRenewal(source.vault, damage.key, signal)) otherForms.push(damage.key);
    else damages.push(damage);
  }
  if (damages.length > 0) throw damageFound(one.from, damages);
  const [other] = otherForms;
  if (other !== undefined && !source.vault.keyring.opens) throw closed(one.from, otherForms);
  if (other !== undefined) return undefined;
  const { leave: _leave, mac: _mac, ...manifest } = one.manifest;
  const { id: repository, cluster } = target.descriptor;
  const copy = { ...manifest, id: one.id, repository, cluster, copiedFrom: one.origin };
  await publishManifest(target.vault, copy, publishing({ lease, options }));
  return copier.totals;
}

function closed(backup: string, keys: readonly string[]): SkepError {
  const message = `${keys.length} contents of backup ${backup} are sealed in other bytes than its inventory tells, as ${keys[0]}`;
  const hint = 'Run `skep copy` with `--identity FILE` of the source: then they are compared by what is in them.';
  return new SkepError('key-missing', message, { hint, context: { backup, keys: keys.slice(0, 100) } });
}

async function* distinctGroups(keys: AsyncIterable<NeededKey>): AsyncGenerator<NeededKey[]> {
  // Parts share objects; what one of them has brought is not yet in the target for the next.
  const seen = new KeySet();
  let group: NeededKey[] = [];
  for await (const needed of keys) {
    if (seen.has(needed.key)) continue;
    seen.add(needed.key);
    if (group.push(needed) < GROUP) continue;
    yield group;
    group = [];
  }
  yield group;
}
