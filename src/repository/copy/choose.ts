import { randomBytes } from 'node:crypto';
import { SkepError } from '../../errors.ts';
import type { Backend } from '../backend/backend.ts';
import type { Manifest } from '../format/manifest.ts';
import { manifestCopyKey, manifestKey } from '../format/names.ts';
import type { Vault } from '../sealing/keyring.ts';
import { isRevoked, isUnreadable, listBackupIds, readManifest, tryGet } from '../manifests.ts';

/** Where a backup was made first. */
export type Origin = NonNullable<Manifest['copiedFrom']>;

/** A backup that is to be copied, and its id in the target. */
export interface Chosen {
  from: string;
  id: string;
  origin: Origin;
  manifest: Manifest;
}

/** All oldest first. */
export interface Choice {
  chosen: Chosen[];
  /** Ids in the source of what the target has already. */
  there: string[];
  /** Manifests that cannot be read. */
  unreadable: LeftOut[];
}

/** A backup that is not copied, and why. */
export interface LeftOut {
  backup: string;
  error: SkepError;
}

/** Ids that may be copied, newest first: `ids`, else all. Error: `backup-unknown`. */
export async function candidates(backend: Backend, ids: readonly string[] | undefined): Promise<string[]> {
  const known = await listBackupIds(backend);
  const unknown = ids?.find((id) => !known.includes(id));
  if (unknown !== undefined) throw new SkepError('backup-unknown', `there is no backup ${unknown}`);
  return ids === undefined ? known : known.filter((id) => ids.includes(id));
}

/**
 * What is to be copied: of these, newest first, the `last` first ones that are COMPLETE, else all. A backup keeps its id,
 * unless a run that was taken for dead has that place in the target. Error: `backup-unknown` for one that was named.
 */
export async function choose(
  source: Vault,
  target: Vault,
  ids: readonly string[],
  options: { ids?: readonly string[]; last?: number },
): Promise<Choice> {
  const there = await origins(target);
  const choice: Choice = { chosen: [], there: [], unreadable: [] };
  for (const from of ids) {
    if (choice.chosen.length + choice.there.length >= (options.last ?? Infinity)) break;
    try {
      const manifest = await readManifest(source, from);
      const origin = originOf(manifest);
      if (there.has(textOf(origin))) choice.there.unshift(from);
      else choice.chosen.unshift({ from, id: await freeId(target.backend, from), origin, manifest });
    } catch (error) {
      // It was forgotten since it was listed.
      if (error instanceof SkepError && error.code === 'backup-unknown' && options.ids === undefined) continue;
      if (!isUnreadable(error)) throw error;
      choice.unreadable.unshift({ backup: from, error });
    }
  }
  return choice;
}

/** The origins of all good backups of a repository. */
async function origins(vault: Vault): Promise<Set<string>> {
  const found = new Set<string>();
  for (const id of await listBackupIds(vault.backend)) {
    try {
      found.add(textOf(originOf(await readManifest(vault, id))));
    } catch (error) {
      if (!isUnreadable(error) && !(error instanceof SkepError && error.code === 'backup-unknown')) throw error;
    }
  }
  return found;
}

function originOf(manifest: Manifest): Origin {
  return manifest.copiedFrom ?? { repository: manifest.repository, id: manifest.id };
}

function textOf({ repository, id }: Origin): string {
  return `${repository} ${id}`;
}

async function freeId(backend: Backend, id: string): Promise<string> {
  const [place, copy] = [await tryGet(backend, manifestKey(id)), await tryGet(backend, manifestCopyKey(id))];
  if (!isRevoked(place) || copy !== undefined) return id;
  return `${id.slice(0, id.indexOf('-'))}-${randomBytes(6).toString('hex')}`;
}
