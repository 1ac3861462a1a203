import type { ClusterConfig } from '../config/schema.ts';
import type { KeyGeneration, Repository } from '../repository/index.ts';
import { accessTo } from './access-to.ts';
import { copyPlace } from './copy-place.ts';
import { openOwnRepository } from './open-repository.ts';

export interface KeysReport {
  sealed: boolean;
  /** Oldest first; the last one counts. */
  generations: KeyGeneration[];
  /** Of the configuration. */
  configured: string[];
  /** Whether new contents are sealed to the recipients of the configuration. */
  agree: boolean;
}

/** Which repository: that of a copy, as `skep copy --to` names it, or the cluster's own. */
export interface KeysOptions {
  of?: string;
}

/** Whom the repository seals to, and since when. */
export async function keys(cluster: ClusterConfig, o: KeysOptions = {}): Promise<KeysReport> {
  const repository = await openKeysOf(cluster, o);
  const generations = await repository.keys();
  const configured = placeOfKeys(cluster, o).repository.sealing?.recipients ?? [];
  const sealedTo = generations.at(-1)?.recipients ?? [];
  const agree = [...configured].sort().join() === [...sealedTo].sort().join();
  return { sealed: repository.sealed, generations, configured, agree };
}

/**
 * Seals what is new from now on to the recipients of the configuration; gives the new generation. A dry run is refused like the
 * run, and changes nothing. Errors: those of `Repository.rotateKeys`.
 */
export async function rotateKeys(
  cluster: ClusterConfig,
  o: KeysOptions & { dryRun?: boolean; signal: AbortSignal },
): Promise<number> {
  const repository = await openKeysOf(cluster, o);
  o.signal.throwIfAborted();
  return repository.rotateKeys({ dryRun: o.dryRun === true });
}

function placeOfKeys(cluster: ClusterConfig, { of }: KeysOptions): Pick<ClusterConfig, 'repository'> {
  return of === undefined ? cluster : copyPlace(cluster, of);
}

async function openKeysOf(cluster: ClusterConfig, o: KeysOptions): Promise<Repository> {
  return openOwnRepository(cluster, await accessTo(placeOfKeys(cluster, o)));
}
