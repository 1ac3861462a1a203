import { mayBeAbsent } from '../config/cassandra-log.ts';
import { forNode } from '../config/load.ts';
import type { EvidenceFinding } from '../cut/evidence.ts';
import type { Results } from '../protocol/methods.ts';
import { type Connections, onCassandraNodes } from './connections.ts';

/** How far the logs of Cassandra were on each node. */
export type MarkedLogs = Map<string, Results['look.logs']>;

/** Before the first snapshot: what is put in later is told behind these marks. */
export function markCassandraLogs(
  c: Pick<Connections, 'cluster' | 'agents'>,
  signal: AbortSignal,
): Promise<MarkedLogs> {
  const { logs } = c.cluster.cassandra.service;
  return onCassandraNodes(c, (agent, node) => agent.call('look.logs', { files: forNode(logs, node) }, { signal }));
}

/**
 * `nodetool import` passes the commit log by and is noted nowhere but in the log. A log that was there and cannot be read to
 * its end now is a finding too; where none was there, preflight has warned.
 */
export async function importedSince(
  c: Pick<Connections, 'cluster' | 'agents'>,
  marked: MarkedLogs,
): Promise<EvidenceFinding[]> {
  const { keyspace } = c.cluster.cassandra;
  const found = await onCassandraNodes(c, async (agent, node): Promise<EvidenceFinding[]> => {
    const { marks, unreadable } = marked.get(node) ?? { marks: [], unreadable: [] };
    const { lines, unseen } = await agent.call('look.imports', { marks, keyspace });
    const unknown = [...unreadable.filter((u) => !mayBeAbsent(u)), ...unseen];
    return [
      ...lines.map((line) => ({ kind: 'imported' as const, node, line: line.slice(0, 200) })),
      ...unknown.map(({ file, why }) => ({ kind: 'imports-unseen' as const, node, file, why })),
    ];
  });
  return [...found.values()].flat();
}
