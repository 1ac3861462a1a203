import { incomingPrefix } from '../format/names.ts';
import { neededKeys, type NeededKey } from '../needed-keys.ts';
import { KeySet } from '../prune/key-set.ts';
import { publishManifest } from '../publish.ts';
import type { Chosen } from './choose.ts';
import { publishing, type CopyJob } from './job.ts';
import { damageFound, StoredCopier, type CopyTotals } from './stored-copier.ts';

const GROUP = 1024;

/** Copies a backup as it is stored, between repositories with the same keys or none. */
export async function copyStored({ source, target, lease, options }: CopyJob, one: Chosen): Promise<CopyTotals> {
  const { signal } = options;
  const prefix = incomingPrefix(options.owner.run, 'copy');
  const copier = new StoredCopier(source.vault.backend, target.vault.backend, {
    prefix,
    signal,
    ...(options.onBytes === undefined ? {} : { onBytes: options.onBytes }),
  });
  try {
    for await (const group of distinctGroups(neededKeys(source.vault, one.manifest))) await copier.copy(group);
    await copier.flush();
  } finally {
    await copier.close();
  }
  if (copier.damages.length > 0) throw damageFound(one.from, copier.damages);
  const { leave: _leave, mac: _mac, ...manifest } = one.manifest;
  const { id: repository, cluster } = target.descriptor;
  const copy = { ...manifest, id: one.id, repository, cluster, copiedFrom: one.origin };
  await publishManifest(target.vault, copy, publishing({ lease, options }));
  return copier.totals;
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
