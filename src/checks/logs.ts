import { forNode } from '../config/load.ts';
import type { NodeConfig } from '../config/schema.ts';
import type { Results } from '../protocol/methods.ts';
import { type Check, type CheckResult, pass, warn } from './check.ts';
import { onNodes } from './each-node.ts';
import { count } from './format.ts';
import { rolesOf, type ServiceName, serviceOf } from './services.ts';

const DAY_MS = 86_400_000;
/** More of them are not counted. */
const MAX_LINES = 1000;

export const logs: Check = {
  id: 'logs',
  title: 'no error in the logs of the last 24 hours',
  needs: 'report',
  async run(ctx) {
    const nodes = new Map(ctx.connections.cluster.nodes.map((n) => [n.name, n]));
    return onNodes(ctx, { nodes: [...nodes.keys()] }, async (agent, name) => {
      const results: CheckResult[] = [];
      for (const service of rolesOf(nodes.get(name) as NodeConfig)) {
        const files = forNode(serviceOf(ctx, service).logs, name);
        if (files.length === 0) continue;
        // Cassandra's are open to who reads its data: that need not be who logs in.
        const reader = service === 'cassandra' ? (ctx.connections.agents.get(name)?.as('cassandra') ?? agent) : agent;
        const found = await reader.call(
          'node.logs',
          { files, sinceMs: ctx.now - DAY_MS, maxLines: MAX_LINES },
          { signal: ctx.signal },
        );
        results.push(...judgeLogs(service, name, files, found));
      }
      return results;
    });
  },
};

export function judgeLogs(
  service: ServiceName,
  node: string,
  files: readonly string[],
  found: Results['node.logs'],
): CheckResult[] {
  const results: CheckResult[] = [];
  if (found.unreadable.length > 0) {
    const seen = `cannot read ${found.unreadable.join(', ')} of ${service}`;
    results.push(warn(seen, `mend \`${service}.service.logs\` in skep.yaml, or let skep read the file`, node));
  }
  const last = found.lines.at(-1);
  if (last) {
    const many = found.lines.length >= MAX_LINES ? `at least ${MAX_LINES} errors` : count(found.lines.length, 'error');
    const seen = `${many} in the log of ${service}, the last: ${last.line.trim().slice(0, 200)}`;
    results.push(warn(seen, `on ${node}: grep -E 'ERROR|FATAL' ${last.file}`, node));
  }
  if (results.length > 0) return results;
  const only = found.cutShort.length === 0 ? '' : `; only the end of ${found.cutShort.join(', ')} was read`;
  return [pass(`no error in ${files.join(', ')}${only}`, node)];
}
