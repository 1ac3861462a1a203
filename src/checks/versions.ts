import { type Check, type CheckResult, fail, pass } from './check.ts';

export const SUPPORTED = { cassandra: ['4.1', '5.0'], elasticsearch: ['7.17', '8.x'] } as const;

export const versions: Check = {
  id: 'versions',
  title: 'the versions are supported',
  needs: 'preflight',
  async run(ctx) {
    const cassandra = judgeCassandra(ctx.topology.nodes);
    const { nodes } = await ctx.connections.search.request<{
      nodes: Record<string, { name: string; version: string }>;
    }>('GET', '/_nodes/_all/process');
    return [...cassandra, ...judgeElasticsearch(Object.values(nodes))];
  },
};

export function judgeCassandra(nodes: readonly { name: string; version: string }[]): CheckResult[] {
  return judge('Cassandra', SUPPORTED.cassandra.join(' and '), nodes, (v) => /^(4\.1|5\.0)\./.test(v));
}

export function judgeElasticsearch(nodes: readonly { name: string; version: string }[]): CheckResult[] {
  return judge('Elasticsearch', SUPPORTED.elasticsearch.join(' and '), nodes, (v) => /^(7\.17|8\.\d+)\./.test(v));
}

function judge(
  what: string,
  supported: string,
  nodes: readonly { name: string; version: string }[],
  fits: (version: string) => boolean,
): CheckResult[] {
  const of = new Map<string, string[]>();
  for (const n of nodes) of.set(n.version, [...(of.get(n.version) ?? []), n.name]);
  const seen = [...of].map(([v, names]) => `${what} ${v} on ${names.sort().join(', ')}`).join('; ');
  const foreign = [...of.keys()].filter((v) => !fits(v));
  if (foreign.length > 0) {
    return [fail(`${seen}; supported are ${supported}`, `upgrade ${what}, or use a skep that supports it`, CODE)];
  }
  // An upgrade under way: nodes write different formats, and schema changes and streams are not to be had.
  if (of.size > 1) return [fail(seen, `finish the upgrade of ${what} on every node`, CODE)];
  return [pass(seen)];
}

const CODE = { code: 'version-unsupported' } as const;
