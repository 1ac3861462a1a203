import type { ClusterConfig } from '../config/schema.ts';
import { closeCqlSessions, discover, openCqlSessions } from '../discovery/discover.ts';
import { SkepError } from '../errors.ts';
import { checkOwner, makeRepository, openOwnRepository } from './open-repository.ts';

export interface InitResult {
  id: string;
  location: string;
  /** False when the cluster's repository was there already. */
  made: boolean;
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
      const { id, location } = await makeRepository(cluster, topology);
      return { id, location, made: true };
    } catch (e) {
      if (!(e instanceof SkepError && e.code === 'repository-exists')) throw e;
      const there = await openOwnRepository(cluster);
      await checkOwner(there, topology);
      return { id: there.id, location: there.location, made: false };
    }
  } finally {
    await closeCqlSessions(cql);
  }
}
