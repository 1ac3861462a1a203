import { statusOf, type Search } from '../drivers/elasticsearch/client.ts';
import { registerRepository, STAGING, stagingFolder } from '../drivers/elasticsearch/snapshots.ts';
import { type Check, type CheckResult, fail, pass } from './check.ts';

export const elasticsearchRepository: Check = {
  id: 'elasticsearch-repository',
  title: 'every Elasticsearch node can write to the staging repository',
  needs: 'preflight',
  async run(ctx) {
    const { search, cluster } = ctx.connections;
    const location = stagingFolder(cluster.elasticsearch.staging.location);
    const nodes = await snapshotNodes(search);
    try {
      return [judgeVerified(location, nodes, await verify(search, location))];
    } catch (e) {
      // 500: a node refused; 400: not below `path.repo`. Everything else is not about the repository.
      if (![400, 500].includes(statusOf(e) ?? 0)) throw e;
      return [fail((e as Error).message, cureFor(location))];
    }
  },
};

/** Registered only where it is not yet: Elasticsearch refuses that while a snapshot is being made. */
async function verify(search: Search, location: string): Promise<string[]> {
  const there = await registeredAt(search);
  if (there !== location) return registerRepository(search, STAGING, location);
  const r = await search.request<{ nodes: Record<string, { name: string }> }>('POST', `/_snapshot/${STAGING}/_verify`);
  return Object.values(r.nodes).map((n) => n.name);
}

async function registeredAt(search: Search): Promise<string | undefined> {
  try {
    const raw = await search.request<Record<string, { settings: { location?: string } }>>(
      'GET',
      `/_snapshot/${STAGING}`,
    );
    return raw[STAGING]?.settings.location;
  } catch (e) {
    if (statusOf(e) === 404) return undefined;
    throw e;
  }
}

/** Nodes that write snapshots: those that hold data, and those that may be elected. */
async function snapshotNodes(search: Search): Promise<string[]> {
  const raw = await search.request<{ nodes: Record<string, { name: string; roles: string[] }> }>(
    'GET',
    '/_nodes/_all/process',
  );
  return Object.values(raw.nodes)
    .filter((n) => n.roles.some((r) => r === 'master' || r.startsWith('data')))
    .map((n) => n.name);
}

export function judgeVerified(location: string, nodes: readonly string[], verified: readonly string[]): CheckResult {
  const missing = nodes.filter((n) => !verified.includes(n));
  if (missing.length > 0) return fail(`${location} was not verified by ${missing.join(', ')}`, cureFor(location));
  return pass(`${location}, verified by ${[...verified].sort().join(', ')}`);
}

function cureFor(location: string): string {
  return `mount one shared folder at ${location} on every node, writable for Elasticsearch and below \`path.repo\``;
}
