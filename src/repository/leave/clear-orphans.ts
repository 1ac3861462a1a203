import type { Backend } from '../backend/backend.ts';
import { companionKey, manifestCopyKey, manifestKey } from '../format/names.ts';
import { isRevoked, tryGet } from '../manifests.ts';
import { COMPANIONS } from './companions.ts';

/** Ids of what has files for who restores without skep, and no copy of a manifest: nearly always none. */
export async function findOrphans(backend: Backend): Promise<string[]> {
  const files = new Map<string, Set<string>>();
  for await (const { key } of backend.list('backups/')) {
    const [, id = '', file = ''] = key.split('/');
    files.set(id, (files.get(id) ?? new Set()).add(file));
  }
  return [...files].filter(([id, names]) => isOrphan(id, names)).map(([id]) => id);
}

function isOrphan(id: string, names: ReadonlySet<string>): boolean {
  return COMPANIONS.some((file) => names.has(file)) && !names.has(nameOf(manifestCopyKey(id)));
}

function nameOf(key: string): string {
  return key.slice(key.lastIndexOf('/') + 1);
}

/**
 * Removes the files of backups that do not exist: a publish, or a forget, was killed halfway. Nobody may be about to publish
 * these ids. Gives how many backups they were of.
 */
export async function clearOrphans(backend: Backend, ids: readonly string[]): Promise<number> {
  let cleared = 0;
  for (const id of ids) {
    const [manifest, copy] = [await tryGet(backend, manifestKey(id)), await tryGet(backend, manifestCopyKey(id))];
    if (copy !== undefined || (manifest !== undefined && !isRevoked(manifest))) continue;
    const keys = COMPANIONS.map((file) => companionKey(id, file));
    const now = Date.now();
    const until = (await backend.retention?.lockedUntil(keys)) ?? [];
    if (until.some((end) => end !== undefined && end.getTime() > now)) continue;
    for (const key of keys) await backend.delete(key);
    if (manifest === undefined && (await isEmpty(backend, `backups/${id}/`)))
      await backend.deletePrefix(`backups/${id}/`);
    cleared++;
  }
  return cleared;
}

async function isEmpty(backend: Backend, prefix: string): Promise<boolean> {
  for await (const _ of backend.list(prefix)) return false;
  return true;
}
