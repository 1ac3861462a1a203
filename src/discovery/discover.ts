import { cassandraNodes } from '../config/load.ts';
import type { ClusterConfig } from '../config/schema.ts';
import { type Cql, openCql } from '../drivers/cassandra/cql.ts';
import { SkepError } from '../errors.ts';
import type { Topology, TopologyNode } from './topology.ts';

/** CQL sessions with every Cassandra node of a cluster, by node name. */
export type CqlSessions = ReadonlyMap<string, Cql>;

export async function openCqlSessions(cluster: ClusterConfig): Promise<CqlSessions> {
  const sessions = new Map<string, Cql>();
  try {
    for (const n of cassandraNodes(cluster)) sessions.set(n.name, await openCql(cluster, n.cassandra));
  } catch (e) {
    await closeCqlSessions(sessions);
    throw e;
  }
  return sessions;
}

export async function closeCqlSessions(sessions: CqlSessions): Promise<void> {
  await Promise.allSettled([...sessions.values()].map((s) => s.close()));
}

/** Asks every node what it is; reads only. Errors: `cql-failed`, `topology-mismatch`. */
export async function discover(cluster: ClusterConfig, sessions: CqlSessions): Promise<Topology> {
  const { keyspace } = cluster.cassandra;
  const nodes: TopologyNode[] = [];
  for (const [name, cql] of sessions) nodes.push(await discoverNode(name, cql));
  const first = [...sessions.values()][0];
  if (!first) throw new SkepError('topology-mismatch', 'the cluster has no Cassandra node');
  const local = await one(first, 'SELECT cluster_name, partitioner FROM system.local');
  const ks = await first.query('SELECT replication FROM system_schema.keyspaces WHERE keyspace_name = ?', [keyspace]);
  const tables = await first.query('SELECT table_name, id FROM system_schema.tables WHERE keyspace_name = ?', [
    keyspace,
  ]);
  return {
    clusterName: String(local.cluster_name),
    partitioner: String(local.partitioner),
    keyspace,
    replication: (ks[0]?.replication as Record<string, string> | undefined) ?? {},
    tables: tables
      .map((t) => ({ id: String(t.id).replaceAll('-', ''), name: String(t.table_name) }))
      .sort((a, b) => (a.name < b.name ? -1 : 1)),
    nodes,
  };
}

async function discoverNode(name: string, cql: Cql): Promise<TopologyNode> {
  const local = await one(
    cql,
    'SELECT host_id, data_center, rack, tokens, release_version, schema_version, gossip_generation FROM system.local',
  );
  const peers = await cql.query('SELECT host_id FROM system.peers_v2');
  const rows = await cql.query('SELECT name, value FROM system_views.settings');
  const settings = new Map(rows.map((r) => [String(r.name), r.value === null ? '' : String(r.value)]));
  const get = (key: string): string => settings.get(key) ?? '';
  const dataDirs = parseList(get('data_file_directories'));
  const commitlogDir = get('commitlog_directory');
  if (dataDirs.length === 0 || commitlogDir === '') {
    throw new SkepError(
      'version-unsupported',
      `${name} does not tell its folders (Cassandra ${local.release_version})`,
    );
  }
  // The second is its name in 4.0.
  const syncPeriod = get('commitlog_sync_period') || get('commitlog_sync_period_in_ms');
  return {
    name,
    address: cql.address,
    hostId: String(local.host_id),
    datacenter: String(local.data_center),
    rack: String(local.rack),
    tokens: ((local.tokens as string[] | null) ?? []).map(String),
    version: String(local.release_version),
    gossipGeneration: Number(local.gossip_generation),
    schemaVersion: String(local.schema_version),
    peers: peers.map((p) => String(p.host_id)).sort(),
    dataDirs,
    commitlogDir,
    hintsDir: get('hints_directory'),
    savedCachesDir: get('saved_caches_directory'),
    commitlogSync: get('commitlog_sync'),
    commitlogSyncMs: get('commitlog_sync') === 'periodic' ? parseMillis(syncPeriod) : 0,
    commitlogEncrypted: /enabled\s*[=:]\s*true/i.test(get('transparent_data_encryption_options')),
  };
}

async function one(cql: Cql, query: string): Promise<Record<string, unknown>> {
  const row = (await cql.query(query))[0];
  if (!row) throw new SkepError('cql-failed', `${cql.address}: no row for ${query}`);
  return row;
}

/** `[/a, /b]` or `/a` as `system_views.settings` prints arrays. */
export function parseList(text: string): string[] {
  return text
    .replace(/^\[|\]$/g, '')
    .split(',')
    .map((s) => s.trim())
    .filter((s) => s !== '');
}

/** `10000ms`, `10s` (4.1 and later) or `10000` (4.0) in ms. */
export function parseMillis(text: string): number {
  const m = /^(\d+)\s*(ms|s|m|h|d)?$/.exec(text.trim());
  if (!m) return 10_000;
  const unit = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }[m[2] ?? 'ms'] ?? 1;
  return Number(m[1]) * unit;
}
