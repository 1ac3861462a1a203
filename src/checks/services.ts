import { forNode } from '../config/load.ts';
import type { NodeConfig, ServiceConfig } from '../config/schema.ts';
import { quoteAll } from '../remote/quote.ts';
import { type Check, type CheckContext, type CheckResult, fail, pass, warn } from './check.ts';
import { onNodes } from './each-node.ts';

export type ServiceName = 'cassandra' | 'elasticsearch' | 'thehive';

export const services: Check = {
  id: 'services',
  title: 'every service is active',
  needs: 'report',
  async run(ctx) {
    const nodes = new Map(ctx.connections.cluster.nodes.map((n) => [n.name, n]));
    const found = await onNodes(ctx, { nodes: [...nodes.keys()] }, async (agent, name) => {
      const results: CheckResult[] = [];
      for (const service of rolesOf(nodes.get(name) as NodeConfig)) {
        const { status, start } = serviceOf(ctx, service);
        const r = await agent.call(
          'node.run',
          { argv: forNode(status, name), timeoutMs: 30_000 },
          { signal: ctx.signal },
        );
        const said = firstLine(r.stdout) ?? firstLine(r.stderr);
        results.push(
          judgeService({ service, node: name, exitCode: r.exitCode, said, start: quoteAll(forNode(start, name)) }),
        );
      }
      return results;
    });
    return [...found, ...judgeRoles([...nodes.values()])];
  },
};

/** Its clocks are those that `T` goes by, and a restore has to stop it. */
export function judgeRoles(nodes: readonly NodeConfig[]): CheckResult[] {
  if (nodes.some((n) => n.thehive)) return [];
  return [
    fail('no node of the configuration runs TheHive', 'mark the nodes that do with `thehive: true` in skep.yaml'),
  ];
}

/** TheHive may be stopped on purpose, and a backup does not need it. */
export function judgeService(o: {
  service: ServiceName;
  node: string;
  exitCode: number;
  said: string | undefined;
  start: string;
}): CheckResult {
  if (o.exitCode === 0) return pass(`${o.service} is active`, o.node);
  const said = o.said === undefined ? '' : `: ${o.said}`;
  const seen = `${o.service} is not active (status command ended with ${o.exitCode}${said})`;
  const cure = `on ${o.node}: ${o.start}`;
  return o.service === 'thehive' ? warn(seen, cure, o.node) : fail(seen, cure, { node: o.node });
}

/** What runs on a node, as the configuration has it. */
export function rolesOf(node: NodeConfig): ServiceName[] {
  return [
    ...(node.cassandra === undefined ? [] : (['cassandra'] as const)),
    ...(node.elasticsearch ? (['elasticsearch'] as const) : []),
    ...(node.thehive ? (['thehive'] as const) : []),
  ];
}

export function serviceOf(ctx: CheckContext, service: ServiceName): ServiceConfig {
  return ctx.connections.cluster[service].service;
}

function firstLine(text: string): string | undefined {
  return text.trim().split('\n')[0] || undefined;
}
