import { type Check, type CheckResult, fail, pass, warn } from './check.ts';
import { closedIndices } from '../drivers/elasticsearch/indices.ts';
import { count } from './format.ts';

/** What `_cluster/health` at the level of indices tells. */
export interface Health {
  status: 'green' | 'yellow' | 'red';
  number_of_nodes: number;
  unassigned_shards: number;
  indices?: Record<string, { status: 'green' | 'yellow' | 'red'; unassigned_shards: number }>;
}

export const elasticsearchHealth: Check = {
  id: 'elasticsearch-health',
  title: 'Elasticsearch is green',
  needs: 'preflight',
  async run(ctx) {
    const { search, cluster } = ctx.connections;
    const { index, audits } = cluster.elasticsearch;
    const query = { level: 'indices', timeout: '5s' };
    const health = await search.request<Health>('GET', '/_cluster/health', { query });
    const own = await search.request<Record<string, unknown>>(
      'GET',
      `/${encodeURIComponent(index)},${encodeURIComponent(audits)}/_settings/index.uuid`,
      { query: { ignore_unavailable: true, expand_wildcards: 'open,hidden' } },
    );
    const names = Object.keys(own);
    const nodes = cluster.nodes.filter((n) => n.elasticsearch).length;
    const closed = await closedIndices(search, [index, audits]);
    return judgeHealth(health, { index, own: names, closed, nodes });
  },
};

/**
 * Yellow has every primary, so a snapshot is whole, and a single node has no place for more; red of an index of ours lacks
 * data.
 */
export function judgeHealth(
  health: Health,
  o: { index: string; own: readonly string[]; closed: readonly string[]; nodes: number },
): CheckResult[] {
  const results: CheckResult[] = [];
  if (health.number_of_nodes < o.nodes) {
    const seen = `${count(health.number_of_nodes, 'node')} in the cluster, the configuration has ${o.nodes}`;
    results.push(fail(seen, 'start the node that is missing: `GET _cat/nodes`'));
  }
  if (o.own.length === 0) {
    results.push(
      fail(`no open index matches ${o.index}`, 'mend `elasticsearch.index` in skep.yaml: `GET _cat/indices`'),
    );
  }
  for (const name of o.closed) {
    const cure = `open it, or keep it out of \`elasticsearch.index\` and \`elasticsearch.audits\`: \`POST ${name}/_open\``;
    results.push(fail(`${name} is closed: no snapshot would hold it`, cure));
  }
  const alone = health.status === 'yellow' && o.nodes === 1 && health.number_of_nodes === 1;
  const notGreen = Object.entries(health.indices ?? {}).filter(([, i]) => i.status !== 'green');
  const which = notGreen.map(([name, i]) => `${name} ${i.status}`).join(', ');
  const shards = health.unassigned_shards === 0 ? '' : `, ${count(health.unassigned_shards, 'unassigned shard')}`;
  const seen = `${health.status}${shards}${which ? `: ${which}` : ''}`;
  const cure = 'find out why with `GET _cluster/allocation/explain`';
  if (notGreen.some(([name, i]) => i.status === 'red' && o.own.includes(name))) results.push(fail(seen, cure));
  else if (health.status !== 'green' && !alone) results.push(warn(seen, cure));
  if (results.length > 0) return results;
  const status = alone ? 'yellow, since one node has no place for replicas' : 'green';
  return [
    pass(`${status}, ${count(health.number_of_nodes, 'node')}, ${count(o.own.length, 'index', 'indices')} of TheHive`),
  ];
}
