import type { ClusterConfig } from '../config/schema.ts';
import type { Topology } from '../discovery/topology.ts';
import { lacksNamingKey, repositoryIsThere } from './naming-key.ts';
import { checkOwner, openOwnRepository } from './open-repository.ts';
import { ballastBytes } from './retention.ts';

/** What `init` would do. Changes nothing. Errors: `repository-foreign`, and those of opening a repository that is there. */
export async function planInit(
  cluster: ClusterConfig,
  topology: Topology,
): Promise<{ text: string; changes: boolean }[]> {
  const { location, sealing } = cluster.repository;
  if (await repositoryIsThere(cluster)) {
    const there = await openOwnRepository(cluster);
    await checkOwner(there, topology);
    return [{ text: `nothing: repository ${there.id} of ${cluster.name} is at ${location} already`, changes: false }];
  }
  const file = await lacksNamingKey(cluster);
  const nodes = topology.nodes.map((n) => n.name).join(', ');
  const to = sealing === undefined ? 'not sealed' : `sealed to ${sealing.recipients.join(', ')}`;
  const ballast = ballastBytes(cluster);
  return [
    ...(file === undefined ? [] : [`write a new naming key to ${file}`]),
    `try at ${location} whether the storage keeps what is relied on, and remove what that has left`,
    `make a repository there for ${cluster.name} (${nodes}), ${to}`,
    ...(ballast === 0 ? [] : [`make its ballast of ${ballast} bytes, which a prune on a full disk deletes first`]),
  ].map((text) => ({ text, changes: true }));
}
