import { createHash } from 'node:crypto';
import type { ClusterConfig } from '../config/schema.ts';
import type { Topology } from '../discovery/topology.ts';
import { SkepError } from '../errors.ts';
import {
  initRepository,
  openRepository,
  type PlainManifest,
  type Repository,
  type RepositoryAccess,
} from '../repository/index.ts';
import { accessTo } from './access-to.ts';
import { parseDetails } from './details.ts';

/** What a repository is told about its cluster when it is made: the Cassandra nodes' host ids, hashed. */
export function clusterId(topology: Topology): string {
  const ids = topology.nodes.map((n) => n.hostId).sort();
  return createHash('sha256').update(ids.join('\n')).digest('hex').slice(0, 32);
}

/** Makes the repository of a cluster. Errors: those of `initRepository`. */
export async function makeRepository(cluster: ClusterConfig, topology: Topology): Promise<Repository> {
  return initRepository(await accessTo(cluster), { clusterName: cluster.name, clusterId: clusterId(topology) });
}

/** Opens the repository that the configuration names, to write unless there is an `access` to read; `repository-foreign` when it is another cluster's by name. */
export async function openOwnRepository(cluster: ClusterConfig, access?: RepositoryAccess): Promise<Repository> {
  const repository = await openRepository(access ?? (await accessTo(cluster)));
  checkName(repository, cluster);
  return repository;
}

/** Refuses (`repository-foreign`) a repository that was made for a cluster of another name. */
export function checkName(repository: Pick<Repository, 'cluster' | 'location'>, cluster: ClusterConfig): void {
  if (repository.cluster.name === cluster.name) return;
  throw new SkepError(
    'repository-foreign',
    `the repository belongs to cluster ${repository.cluster.name}, not to ${cluster.name}`,
    { context: { repository: repository.location, owner: repository.cluster.name } },
  );
}

/**
 * Refuses a repository that was made for, or last written by, nodes of which none is among the cluster's. Single nodes
 * may have been replaced since.
 */
export async function checkOwner(repository: Repository, topology: Topology): Promise<void> {
  if (repository.cluster.id === clusterId(topology)) return;
  const newest = (await repository.manifests()).find((b) => b.state === 'complete');
  const hostIds = topology.nodes.map((n) => n.hostId);
  if (newest?.state === 'complete' && (await isOfHosts(repository, newest.manifest, hostIds))) return;
  throw new SkepError(
    'repository-foreign',
    `the repository belongs to another cluster that is also called ${repository.cluster.name}`,
    { context: { repository: repository.location, id: repository.cluster.id } },
  );
}

/** Nobody needs an identity for it: a sealed repository tells hosts by marks that need only the naming key. */
async function isOfHosts(repository: Repository, manifest: PlainManifest, hostIds: string[]): Promise<boolean> {
  if (repository.sealed) return repository.isOfHosts(manifest, hostIds);
  const details = await repository.readDetails(await repository.readManifest(manifest.id));
  return parseDetails(details, manifest.id).topology.nodes.some((n) => hostIds.includes(n.hostId));
}
