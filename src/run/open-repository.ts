import { createHash } from 'node:crypto';
import type { ClusterConfig } from '../config/schema.ts';
import type { Topology } from '../discovery/topology.ts';
import { SkepError } from '../errors.ts';
import { initRepository, openRepository, type Repository } from '../repository/index.ts';
import { parseDetails } from './details.ts';

/** What a repository is told about its cluster when it is made: the Cassandra nodes' host ids, hashed. */
export function clusterId(topology: Topology): string {
  const ids = topology.nodes.map((n) => n.hostId).sort();
  return createHash('sha256').update(ids.join('\n')).digest('hex').slice(0, 32);
}

/** Makes the repository of a cluster. Errors: those of `initRepository`. */
export function makeRepository(cluster: ClusterConfig, topology: Topology): Promise<Repository> {
  return initRepository(cluster.repository, { clusterName: cluster.name, clusterId: clusterId(topology) });
}

/** Opens the repository that the configuration names; `repository-foreign` when it is another cluster's by name. */
export async function openOwnRepository(cluster: ClusterConfig): Promise<Repository> {
  const repository = await openRepository(cluster.repository);
  if (repository.cluster.name !== cluster.name) {
    throw new SkepError(
      'repository-foreign',
      `the repository belongs to cluster ${repository.cluster.name}, not to ${cluster.name}`,
      { context: { repository: cluster.repository, owner: repository.cluster.name } },
    );
  }
  return repository;
}

/**
 * Refuses a repository that was made for, or last written by, nodes of which none is among the cluster's. Single nodes
 * may have been replaced since.
 */
export async function checkOwner(repository: Repository, topology: Topology): Promise<void> {
  if (repository.cluster.id === clusterId(topology)) return;
  const own = new Set(topology.nodes.map((n) => n.hostId));
  for (const b of await repository.list()) {
    if (b.state !== 'complete') continue;
    const { details } = await repository.readManifest(b.id);
    if (parseDetails(details, b.id).topology.nodes.some((n) => own.has(n.hostId))) return;
    break;
  }
  throw new SkepError(
    'repository-foreign',
    `the repository belongs to another cluster that is also called ${repository.cluster.name}`,
    { context: { repository: repository.location, id: repository.cluster.id } },
  );
}
