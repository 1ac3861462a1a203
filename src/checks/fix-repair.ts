import type { Topology } from '../discovery/topology.ts';
import { nodetoolArgv, nodetoolError } from '../drivers/cassandra/nodetool.ts';
import { repairArgs } from '../drivers/cassandra/repair-output.ts';
import type { Emit } from '../events.ts';
import { agentOf, type Connections } from '../run/connections.ts';
import type { FixPlan } from './plan-fix.ts';

/** A full repair of each node's own ranges, one node after the other, of all datacenters. Pure. */
export function planRepairFix(topology: Topology): FixPlan {
  const nodes = topology.nodes.map((n) => n.name);
  const command = `nodetool ${repairArgs(topology.keyspace).join(' ')}`;
  return { repair: nodes, steps: nodes.map((node) => ({ text: `on ${node}: ${command}`, changes: true })) };
}

/**
 * Repairs a keyspace node after node; a stage and progress (in token ranges) for each. The first failure ends it.
 * May be repeated. Errors: `command-failed` with nodetool's last words, `jmx-credentials`, `cancelled`.
 */
export async function repairNodes(
  c: Pick<Connections, 'cluster' | 'agents'>,
  topology: Pick<Topology, 'keyspace' | 'nodes'>,
  nodes: readonly string[],
  o: { signal: AbortSignal; emit: Emit },
): Promise<{ node: string; ranges: number; ms: number }[]> {
  const { keyspace } = topology;
  const args = repairArgs(keyspace);
  const done = [];
  for (const [i, node] of nodes.entries()) {
    const stage = `repair ${node}`;
    // A node's own ranges are as many as its tokens. nodetool tells it too, unless JMX loses that notification.
    const totalFiles = topology.nodes.find((n) => n.name === node)?.tokens.length;
    const known = totalFiles === undefined ? {} : { totalFiles };
    const t0 = performance.now();
    o.emit({
      type: 'stage-started',
      stage,
      text: `full repair of ${keyspace} on ${node} (${i + 1} of ${nodes.length})`,
    });
    const r = await agentOf(c.agents, node, 'cassandra').call(
      'repair.run',
      { argv: nodetoolArgv(c.cluster, node, args) },
      {
        signal: o.signal,
        onProgress: (p) => o.emit({ type: 'progress', node, store: 'cassandra', stage: 'repair', ...known, ...p }),
      },
    );
    if (r.exitCode !== 0) throw nodetoolError(node, args, r.exitCode, r.lines.join('\n'));
    const ms = Math.round(performance.now() - t0);
    o.emit({ type: 'stage-done', stage, ms });
    done.push({ node, ranges: r.ranges, ms });
  }
  return done;
}
