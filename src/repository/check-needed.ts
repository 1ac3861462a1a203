import { SkepError } from '../errors.ts';
import { throwIfCancelled } from '../cancel.ts';
import type { Backend } from './backend/backend.ts';
import { noteDamage } from './damage/notes.ts';
import { areIn, type FolderMarks, takeMarks, unchanged } from './folder-marks.ts';
import type { Manifest } from './format/manifest.ts';
import { neededEntry, neededGroups, type NeededKey, neededPiece, type Spared } from './needed-keys.ts';
import { ObjectPresence } from './object-presence.ts';
import { isContentKey } from './prune/key-set.ts';
import { lockKeys } from './retention/lock.ts';
import type { Vault } from './sealing/keyring.ts';

const BATCH = 1024;
/** With more files than this, folders are read instead of asking for each object. */
const MANY = 20_000;

/**
 * Objects may have been reused from older backups: whatever became of them since, each is looked at again, and kept by
 * object lock where that is asked for. Of many, the folders that hold them are read: that tells of each whether it is
 * there, at a fifth of the time. Unless the storage tells sizes with names, they are then asked of one object in sixteen,
 * others with each backup: a prune takes objects and does not change them, and verify looks at all. A folder that has kept the
 * mark that it had before the writer looked has lost nothing since: of that only the sizes that are due are asked.
 */
export async function checkNeeded(
  { backend, keyring }: Vault,
  manifest: Manifest,
  options: { signal?: AbortSignal; lockMs?: number; marks?: ReadonlyMap<string, FolderMarks> },
): Promise<void> {
  const lockMs = backend.retention === undefined ? undefined : options.lockMs;
  const files = manifest.parts.reduce((sum, part) => sum + part.files, 0);
  const presence = files > MANY && lockMs === undefined ? new ObjectPresence(backend) : undefined;
  const isDue = (folder: string) => folder[1] === manifest.id.at(-1);
  const spared = presence && options.marks && (await sparedBy(backend, options.marks, isDue));
  let batch: NeededKey[] = [];
  const checkBatch = async () => {
    throwIfCancelled(options.signal);
    const keys = batch.map(({ key }) => key);
    const sizes = await backend.sizes(keys);
    const wrong = batch.map((needed, i) => judge(needed, sizes[i])).filter((error) => error !== undefined);
    if (wrong[0] !== undefined) {
      await noteWrong(backend, wrong);
      throw wrong[0];
    }
    if (backend.retention !== undefined && lockMs !== undefined) await lockKeys(backend.retention, keys, lockMs);
    batch = [];
  };
  for await (const { pieces, entries } of neededGroups({ backend, keyring }, manifest, new Set(), spared)) {
    for (const name of pieces) batch.push(neededPiece(name));
    for (const entry of entries) {
      if (presence !== undefined && entry.kind === 'object') {
        const looked = presence.look(entry);
        const found = typeof looked === 'object' ? await looked : looked;
        // A listing may be older than what it lacks: the key itself is asked for.
        if ((found === 'there' && !isDue(entry.name)) || found === entry.storedSize) continue;
      }
      batch.push(neededEntry(entry));
    }
    if (batch.length >= BATCH) await checkBatch();
  }
  await checkBatch();
}

async function sparedBy(
  backend: Backend,
  marks: ReadonlyMap<string, FolderMarks>,
  isDue: (folder: string) => boolean,
): Promise<Spared> {
  const now = await takeMarks(backend);
  const folders = new Map<string, ReadonlySet<string>>();
  for (const [inventory, before] of marks) {
    folders.set(inventory, new Set([...unchanged(before, now)].filter((folder) => !isDue(folder))));
  }
  return (inventory, first, end) => areIn(folders.get(inventory) ?? new Set(), first, end);
}

function judge({ key, stored }: NeededKey, found: number | undefined): SkepError | undefined {
  if (found !== undefined && found === (stored?.size ?? found)) return undefined;
  const context = { key, expected: stored?.size, found };
  const hint = 'Nothing was published; run `skep backup` again: it stores anew what is missing or damaged.';
  if (found === undefined) return new SkepError('object-missing', `${key} is gone`, { context, hint });
  return new SkepError('object-damaged', `${key} has ${found} bytes, not ${stored?.size}`, { context, hint });
}

/** So that the next run does not take them for stored, whatever its hints and the older listings say. */
async function noteWrong(backend: Backend, wrong: readonly SkepError[]): Promise<void> {
  const at = new Date();
  for (const { code, message, context } of wrong) {
    const key = String(context['key']);
    // The first failure is the one to tell.
    if (isContentKey(key)) await noteDamage(backend, key, { kind: code, message, at }).catch(() => undefined);
  }
}
