import pLimit from 'p-limit';
import { cassandraNodes } from '../config/load.ts';
import { nodetool } from '../drivers/cassandra/nodetool.ts';
import { parseStatus, type StatusLine } from '../drivers/cassandra/status.ts';
import { quoteAll } from '../remote/quote.ts';
import { forNode } from '../config/load.ts';
import { type Check, type CheckResult, fail, pass } from './check.ts';
import { onNodes } from './each-node.ts';

/** nodetool starts a JVM: a second of CPU, on nodes that may share a machine. */
const AT_ONCE = 2;

/** What one node sees of the others. */
export interface View {
  from: string;
  lines: readonly StatusLine[];
}

export const nodesUp: Check = {
  id: 'nodes-up',
  title: 'every Cassandra node is up, and named in the configuration',
  needs: 'preflight',
  async run(ctx) {
    const { cluster } = ctx.connections;
    const views: View[] = [];
    const limit = pLimit(AT_ONCE);
    const names = cassandraNodes(cluster).map((n) => n.name);
    const failures = await onNodes(ctx, { nodes: names, store: 'cassandra' }, (agent, from) =>
      limit(async () => {
        views.push({ from, lines: parseStatus(await nodetool(agent, cluster, ['status'], { signal: ctx.signal })) });
        return [];
      }),
    );
    if (views.length === 0) return failures;
    const known = cassandraNodes(cluster).map((n) => ({
      name: n.name,
      address: n.cassandra,
      hostId: ctx.topology.nodes.find((t) => t.name === n.name)?.hostId,
    }));
    const start = (node: string) => quoteAll(forNode(cluster.cassandra.service.start, node));
    const judged = judgeViews(views, known, start);
    // That a node which is down could not be asked is no second finding.
    const down = new Set(judged.filter((r) => r.verdict === 'fail').map((r) => r.node));
    return [...failures.filter((f) => !down.has(f.node)), ...judged];
  },
};

/**
 * Every node must be up and normal in every node's view, and every node must be known by its host id (or, when it could
 * not be asked, by its address).
 */
export function judgeViews(
  views: readonly View[],
  known: readonly { name: string; address: string; hostId: string | undefined }[],
  start: (node: string) => string,
): CheckResult[] {
  const nameOf = (l: StatusLine) =>
    known.find((k) => k.hostId === l.hostId || (k.hostId === undefined && k.address === l.address))?.name;
  const bad = new Map<string, { line: StatusLine; by: string[] }>();
  const foreign = new Map<string, StatusLine>();
  const seenNames = new Set<string>();
  for (const view of views) {
    for (const line of view.lines) {
      const name = nameOf(line);
      if (name === undefined) foreign.set(line.hostId, line);
      else seenNames.add(name);
      if (line.state === 'UN') continue;
      const entry = bad.get(line.hostId) ?? { line, by: [] };
      entry.by.push(view.from);
      bad.set(line.hostId, entry);
    }
  }
  const results: CheckResult[] = [];
  for (const { line, by } of bad.values()) {
    const node = nameOf(line);
    const cure =
      node === undefined
        ? `look at ${line.address}, then run \`nodetool status\``
        : line.state.startsWith('D')
          ? `on ${node}: ${start(node)}`
          : `wait until \`nodetool status\` shows it as UN`;
    const seen = `${node ?? line.address} is ${line.state} (${line.words}) as seen by ${by.sort().join(', ')}`;
    results.push(fail(seen, cure, node === undefined ? {} : { node }));
  }
  for (const line of foreign.values()) {
    const seen = `${line.address} (host id ${line.hostId}, ${line.datacenter}) belongs to the cluster, but no node of the configuration is it`;
    results.push(fail(seen, 'add the node to `nodes` in skep.yaml', { code: 'topology-mismatch' }));
  }
  for (const k of known.filter((n) => !seenNames.has(n.name))) {
    const seen = `${k.name} (${k.address}) is in the configuration, but no node of the cluster knows it`;
    const cure = `on ${k.name}: ${start(k.name)}; or mend its address in skep.yaml`;
    results.push(fail(seen, cure, { node: k.name, code: 'topology-mismatch' }));
  }
  if (results.length > 0) return results;
  const total = views[0]?.lines.length ?? 0;
  return [
    pass(
      `${total} of ${total} nodes are UN, as seen by ${views
        .map((v) => v.from)
        .sort()
        .join(', ')}`,
    ),
  ];
}
