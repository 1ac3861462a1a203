import { hostname } from 'node:os';
import type { ClusterConfig } from '../../src/config/schema.ts';
import { newBackupId, openRepository } from '../../src/repository/index.ts';
import { agentOf, closeAgents, measureClocks, onCassandraNodes, openAgents } from '../../src/run/connections.ts';
import type { CassandraSource } from '../data/node.ts';
import { input, print } from './agent.ts';

/**
 * What a controller does for a backup of many Cassandra nodes, beside asking the databases: agents, clocks, pins, snapshots'
 * files, segments, the manifest. Tells the CPU time of this process alone.
 */
const { cluster, sources } = input<{ cluster: ClusterConfig; sources: Record<string, CassandraSource> }>();

const access = { location: cluster.repository.location };
const repository = await openRepository(access);
const run = newBackupId();
const startedAt = new Date().toISOString();
const lease = await repository.acquireLease('write', { run, host: hostname(), pid: process.pid });
const agents = await openAgents(cluster, { nice: cluster.agent.nice });
const each = { cluster, agents };
const of = (node: string): CassandraSource => sources[node] as CassandraSource;
const target = (node: string) => ({ repository: access, run, writer: `${node}-cassandra` });
await measureClocks(agents);
await onCassandraNodes(each, (agent, node) => agent.call('node.facts', { paths: of(node).dataDirs }));
await onCassandraNodes(each, (agent, node) => agent.call('pin.start', { run, commitlogDir: of(node).commitlogDir }));
await onCassandraNodes(each, (agent, node) => {
  const { commitlogDir: _, ...snapshot } = of(node);
  return agent.call('capture.cassandra', { target: target(node), ...snapshot });
});
await onCassandraNodes(each, (agent) => agent.call('pin.freeze', { run }));
const T = String(Date.now() * 1000 + 1);
const rules = { T, schema: { tables: [], columns: [] }, truncated: [], foreign: [] };
const captured = await onCassandraNodes(each, (agent, node) =>
  agent.call('capture.segments', { target: target(node), ...rules }),
);
const parts = [...captured].map(([node, { listing, newBytes }]) => ({
  node,
  store: 'cassandra' as const,
  ...listing,
  newBytes,
}));
const peaks = await Promise.all([...captured.keys()].map((node) => agentOf(agents, node).call('node.clock', {})));
await closeAgents(agents);
const finishedAt = new Date().toISOString();
await repository.publish(
  { id: run, startedAt, finishedAt, consistency: 'cut', cutMicros: T, parts, details: {} },
  { lease },
);
await lease.release();
await repository.discardRun(run);
const { user, system } = process.cpuUsage();
print({
  nodes: peaks.length,
  files: parts.reduce((n, p) => n + p.files, 0),
  cpu_ms: Math.round((user + system) / 1000),
});
