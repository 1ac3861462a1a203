import type { ClusterConfig } from '../config/schema.ts';
import { closeCqlSessions, discover, openCqlSessions } from '../discovery/discover.ts';
import { SkepError } from '../errors.ts';
import { checkOwner, makeRepository, openOwnRepository } from './open-repository.ts';
import { ensureNamingKey } from './naming-key.ts';
import { ballastBytes, checkLock } from './retention.ts';

export interface InitResult {
  id: string;
  location: string;
  /** False when the cluster's repository was there already. */
  made: boolean;
  sealed: boolean;
  /** The file into which a new naming key was written. */
  namingKeyFile?: string;
}

/**
 * Makes the repository that the configuration names, for the cluster that answers there. May be repeated.
 * Errors: those of CQL, `repository-foreign` when another cluster's is there, `repository-unfit`, `no-space`.
 */
export async function init(cluster: ClusterConfig): Promise<InitResult> {
  const cql = await openCqlSessions(cluster);
  try {
    const topology = await discover(cluster, cql);
    try {
      const namingKeyFile = await ensureNamingKey(cluster);
      const repository = await makeRepository(cluster, topology);
      await checkLock(cluster, repository);
      await repository.makeBallast(ballastBytes(cluster));
      const { id, location, sealed } = repository;
      return { id, location, sealed, made: true, ...(namingKeyFile ? { namingKeyFile } : {}) };
    } catch (e) {
      if (!(e instanceof SkepError && e.code === 'repository-exists')) throw e;
      const there = await openOwnRepository(cluster);
      await checkOwner(there, topology);
      return { id: there.id, location: there.location, sealed: there.sealed, made: false };
    }
  } finally {
    await closeCqlSessions(cql);
  }
}
