import { stringify } from 'yaml';
import { parseCluster } from '../../../src/config/load.ts';
import type { ClusterConfig, NodeConfig } from '../../../src/config/schema.ts';

/** A configuration with the least that is needed, as YAML would give it. */
export function minimalConfig(o: { repository?: string; name?: string } = {}) {
  return {
    version: 1,
    clusters: {
      [o.name ?? 'prod']: {
        repository: o.repository ?? '/backups',
        nodes: [{ name: 'n1', transport: 'local', cassandra: '127.0.0.1' }] as Record<string, unknown>[],
        cassandra: { user: 'skep', password: { env: 'SKEP_TEST_PASSWORD' } } as Record<string, unknown>,
        elasticsearch: {
          urls: ['http://127.0.0.1:9200'],
          staging: { location: '/es/skep', node: 'n1' },
        } as Record<string, unknown>,
        files: { location: '/files', node: 'n1' } as Record<string, unknown>,
        index: { reconcile: 'none' } as Record<string, unknown>,
      } as Record<string, unknown>,
    },
  };
}

/** A cluster with one local node, and the agent's command if one is given. */
export function localCluster(agent?: readonly string[]): { cluster: ClusterConfig; node: NodeConfig } {
  const config = minimalConfig();
  if (agent) (config.clusters.prod as Record<string, unknown>).agent = { command: agent };
  const cluster = parseCluster(stringify(config), { file: 'skep.yaml' });
  return { cluster, node: cluster.nodes[0] as NodeConfig };
}
