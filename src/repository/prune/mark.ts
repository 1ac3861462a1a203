import { SkepError } from '../../errors.ts';
import { throwIfCancelled } from '../../cancel.ts';
import { isUnreadable, listBackupIds, readManifest } from '../manifests.ts';
import { neededKeys } from '../needed-keys.ts';
import type { Vault } from '../sealing/keyring.ts';
import { isContentKey, KeySet } from './key-set.ts';

export interface Marked {
  /** Ids of the backups that there are. */
  backups: Set<string>;
  /** All that they need. */
  needed: KeySet;
}

/**
 * What the backups need. `damage-found` when a manifest or a piece cannot be read: what that backup needs is not known,
 * so nothing may be removed.
 */
export async function mark(
  vault: Vault,
  options: { signal?: AbortSignal; onBackup?: (done: number, total: number) => void } = {},
): Promise<Marked> {
  const ids = await listBackupIds(vault.backend);
  const marked: Marked = { backups: new Set(), needed: new KeySet() };
  const seen = new Set<string>();
  const damaged: { backup: string; why: string }[] = [];
  for (const [i, id] of ids.entries()) {
    throwIfCancelled(options.signal);
    const why = await markOne(vault, id, marked, seen);
    if (why !== undefined) damaged.push({ backup: id, why });
    options.onBackup?.(i + 1, ids.length);
  }
  if (damaged.length > 0) throw refused(damaged);
  return marked;
}

/** Whether there is a backup that a mark has not seen: a listing may be late once, and what is deleted for good stays so. */
export async function hasMissed(vault: Vault, marked: Marked): Promise<boolean> {
  for (const id of await listBackupIds(vault.backend)) {
    if (!marked.backups.has(id) && (await isThere(vault, id))) return true;
  }
  return false;
}

async function isThere(vault: Vault, id: string): Promise<boolean> {
  try {
    await readManifest(vault, id);
    return true;
  } catch (error) {
    if (isUnreadable(error)) return true;
    if (error instanceof SkepError && error.code === 'backup-unknown') return false;
    throw error;
  }
}

/** What stands in the way, if anything does. */
async function markOne(vault: Vault, id: string, marked: Marked, seen: Set<string>): Promise<string | undefined> {
  try {
    const manifest = await readManifest(vault, id);
    for await (const { key, stored } of neededKeys(vault, manifest, seen)) {
      // A later format may name keys in another way; one that is not understood here would not be spared.
      if (!isContentKey(key)) return `it needs ${key}, which is not known here`;
      marked.needed.add(key, stored?.size);
    }
    marked.backups.add(id);
    return undefined;
  } catch (error) {
    if (!(error instanceof SkepError)) throw error;
    // It was forgotten between listing and reading.
    if (error.code === 'backup-unknown') return undefined;
    if (!['object-missing', 'object-damaged'].includes(error.code) && !isUnreadable(error)) throw error;
    return error.message;
  }
}

function refused(damaged: { backup: string; why: string }[]): SkepError {
  const [first] = damaged as [{ backup: string; why: string }];
  const hint =
    `Nothing was removed. Run \`skep verify ${first.backup}\` to see what it lacks and how it is mended; if it cannot be, ` +
    `\`skep forget ${first.backup}\`, then prune again.`;
  const message = `what backup ${first.backup} needs cannot be told: ${first.why}`;
  return new SkepError('damage-found', message, { hint, context: { damaged } });
}
