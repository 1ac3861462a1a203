import { SkepError } from '../errors.ts';
import { throwIfCancelled } from './content/cancel.ts';
import type { Manifest } from './format/manifest.ts';
import { KeyPresence } from './key-presence.ts';
import { neededKeys, type NeededKey } from './needed-keys.ts';
import { lockKeys } from './retention/lock.ts';
import type { Vault } from './sealing/keyring.ts';

const BATCH = 1024;
/** With more files than this, folders are read instead of asking for each object. */
const MANY = 20_000;

/**
 * Objects may have been reused from older backups: whatever became of them since, each is looked at again, and kept by
 * object lock where that is asked for. Of many, the folders that hold them are read: that tells of each whether it is
 * there, at a fifth of the time. Unless the storage tells sizes with names, they are then asked of one object in sixteen,
 * others with each backup: a prune takes objects and does not change them, and verify looks at all.
 */
export async function checkNeeded(
  { backend, keyring }: Vault,
  manifest: Manifest,
  options: { signal?: AbortSignal; lockMs?: number },
): Promise<void> {
  const lockMs = backend.retention === undefined ? undefined : options.lockMs;
  const files = manifest.parts.reduce((sum, part) => sum + part.files, 0);
  const presence = files > MANY && lockMs === undefined ? new KeyPresence(backend) : undefined;
  let batch: NeededKey[] = [];
  const checkBatch = async () => {
    throwIfCancelled(options.signal);
    const keys = batch.map(({ key }) => key);
    const sizes = await backend.sizes(keys);
    for (const [i, needed] of batch.entries()) check(needed, sizes[i]);
    if (backend.retention !== undefined && lockMs !== undefined) await lockKeys(backend.retention, keys, lockMs);
    batch = [];
  };
  for await (const needed of neededKeys({ backend, keyring }, manifest)) {
    if (presence !== undefined && needed.key.startsWith('objects/')) {
      const looked = presence.look(needed.key);
      const found = typeof looked === 'object' ? await looked : looked;
      if (found !== 'there') check(needed, found === 'absent' ? undefined : found);
      if (found !== 'there' || needed.name[1] !== manifest.id.at(-1)) continue;
    }
    if (batch.push(needed) === BATCH) await checkBatch();
  }
  await checkBatch();
}

function check({ key, stored }: NeededKey, found: number | undefined): void {
  if (found !== undefined && found === (stored?.size ?? found)) return;
  const context = { key, expected: stored?.size, found };
  const hint = 'Nothing was published; run `skep backup` again: it stores what is missing.';
  if (found === undefined) throw new SkepError('object-missing', `${key} is gone`, { context, hint });
  throw new SkepError('object-damaged', `${key} has ${found} bytes, not ${stored?.size}`, { context, hint });
}
