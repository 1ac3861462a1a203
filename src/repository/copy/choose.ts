import { randomBytes } from 'node:crypto';
import { SkepError } from '../../errors.ts';
import type { Backend } from '../backend/backend.ts';
import type { Manifest } from '../format/manifest.ts';
import { manifestCopyKey, manifestKey } from '../format/names.ts';
import type { Vault } from '../sealing/keyring.ts';
import { isRevoked, listBackupIds, readManifest, tryGet } from '../manifests.ts';

/** Where a backup was made first. */
export type Origin = NonNullable<Manifest['copiedFrom']>;

/** A backup that is to be copied, and its id in the target. */
export interface Chosen {
  from: string;
  id: string;
  origin: Origin;
  manifest: Manifest;
}

export interface Choice {
  chosen: Chosen[];
  /** Ids in the source of what the target has already. */
  there: string[];
  /** Manifests that cannot be read. */
  damaged: { backup: string; error: SkepError }[];
}

/**
 * What is to be copied, oldest first: `ids`, else the `last` newest ones, else all. A backup keeps its id, unless a run that
 * was taken for dead has that place in the target. Error: `backup-unknown`.
 */
export async function choose(
  source: Vault,
  target: Vault,
  options: { ids?: readonly string[]; last?: number },
): Promise<Choice> {
  const there = await origins(target);
  const choice: Choice = { chosen: [], there: [], damaged: [] };
  for (const from of await wanted(source.backend, options)) {
    try {
      const manifest = await readManifest(source, from);
      const origin = originOf(manifest);
      if (there.has(textOf(origin))) choice.there.push(from);
      else choice.chosen.push({ from, id: await freeId(target.backend, from), origin, manifest });
    } catch (error) {
      if (!(error instanceof SkepError) || error.code !== 'manifest-damaged') throw error;
      choice.damaged.push({ backup: from, error });
    }
  }
  return choice;
}

async function wanted(backend: Backend, { ids, last }: { ids?: readonly string[]; last?: number }): Promise<string[]> {
  const known = await listBackupIds(backend);
  if (ids === undefined) return known.slice(0, last ?? known.length).reverse();
  const unknown = ids.find((id) => !known.includes(id));
  if (unknown !== undefined) throw new SkepError('backup-unknown', `there is no backup ${unknown}`);
  return known.filter((id) => ids.includes(id)).reverse();
}

/** The origins of all good backups of a repository. */
async function origins(vault: Vault): Promise<Set<string>> {
  const found = new Set<string>();
  for (const id of await listBackupIds(vault.backend)) {
    try {
      found.add(textOf(originOf(await readManifest(vault, id))));
    } catch (error) {
      if (!(error instanceof SkepError) || !['manifest-damaged', 'backup-unknown'].includes(error.code)) throw error;
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
