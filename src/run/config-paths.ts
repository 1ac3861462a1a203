import { forNode } from '../config/load.ts';
import type { ClusterConfig, NodeConfig } from '../config/schema.ts';

/** Where Debian's and Red Hat's packages keep the configuration of a server, and what systemd is told of it. */
const FOLDERS = {
  cassandra: ['/etc/cassandra'],
  elasticsearch: ['/etc/elasticsearch'],
  thehive: ['/etc/thehive'],
} as const;

/** A file, or a folder with all that is below it. One that is not `optional` must be there. */
export interface ConfigPath {
  path: string;
  optional: boolean;
}

/** What the `config` store takes of a node: what its roles usually have, and what skep.yaml names; none when it is not kept. */
export function configPaths(cluster: ClusterConfig, node: NodeConfig): ConfigPath[] {
  if (cluster.config === undefined) return [];
  const roles = (['cassandra', 'elasticsearch', 'thehive'] as const).filter((role) => node[role]);
  const usual = roles.flatMap((role) => [
    ...FOLDERS[role],
    `/etc/default/${role}`,
    `/etc/sysconfig/${role}`,
    `/etc/systemd/system/${role}.service`,
    `/etc/systemd/system/${role}.service.d`,
  ]);
  return [
    ...usual.map((path) => ({ path, optional: true })),
    ...forNode(cluster.config.paths, node.name).map((path) => ({ path, optional: false })),
  ];
}
