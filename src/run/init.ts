import type { ClusterConfig } from '../config/schema.ts';
import { closeCqlSessions, discover, openCqlSessions } from '../discovery/discover.ts';
import { makeRepository } from './open-repository.ts';

/** Makes the repository that the configuration names, for the cluster that answers there. */
export async function init(cluster: ClusterConfig): Promise<{ id: string; location: string }> {
  const cql = await openCqlSessions(cluster);
  try {
    const repository = await makeRepository(cluster, await discover(cluster, cql));
    return { id: repository.id, location: repository.location };
  } finally {
    await closeCqlSessions(cql);
  }
}
