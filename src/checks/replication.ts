import type { Topology } from '../discovery/topology.ts';
import { type Check, type CheckResult, fail, pass, warn } from './check.ts';
import { count } from './format.ts';

const CURE = 'skep check --fix replication';

export const replication: Check = {
  id: 'replication',
  title: 'every datacenter has enough replicas',
  needs: 'report',
  async run(ctx) {
    const { topology, connections } = ctx;
    const cql = [...connections.cql.values()][0];
    if (!cql) return [];
    // Asked here, since a node that is down is not in the topology but counts.
    const where = 'SELECT data_center FROM';
    const all = [...(await cql.query(`${where} system.local`)), ...(await cql.query(`${where} system.peers_v2`))];
    const sizes = sizesOf(all.map((r) => String(r.data_center)));
    const rows = await cql.query('SELECT replication FROM system_schema.keyspaces WHERE keyspace_name = ?', [
      'system_auth',
    ]);
    const auth = rows[0]?.replication as Record<string, string> | undefined;
    return [
      ...judgeReplication(topology, sizes, connections.cluster.cassandra.replication),
      ...(auth ? judgeLogins(auth, all.length) : []),
    ];
  },
};

/** Number of nodes by datacenter, from the datacenter of each node. */
export function sizesOf(datacenters: readonly string[]): Map<string, number> {
  const sizes = new Map<string, number>();
  for (const dc of datacenters) sizes.set(dc, (sizes.get(dc) ?? 0) + 1);
  return new Map([...sizes].sort());
}

/** How many replicas a datacenter should have: as configured, else 3; never more than it has nodes. */
export function wantedReplicas(size: number, configured: number | undefined): number {
  return Math.min(size, configured ?? 3);
}

/** JanusGraph's default. On a single node it says the same as a strategy that knows datacenters. */
export function isOneOnOne(has: Topology['replication'], nodes: number): boolean {
  return nodes === 1 && has.class?.split('.').at(-1) === 'SimpleStrategy' && has.replication_factor === '1';
}

export function judgeReplication(
  { replication: has, keyspace }: Pick<Topology, 'replication' | 'keyspace'>,
  sizes: ReadonlyMap<string, number>,
  configured: number | undefined,
): CheckResult[] {
  const strategy = has.class?.split('.').at(-1);
  if (strategy === undefined)
    return [fail(`there is no keyspace ${keyspace}`, 'mend `cassandra.keyspace` in skep.yaml')];
  const nodes = [...sizes.values()].reduce((n, size) => n + size, 0);
  if (isOneOnOne(has, nodes)) return [pass(`${keyspace} has 1 replica on the only node`)];
  if (strategy !== 'NetworkTopologyStrategy') {
    const seen = `${keyspace} has ${strategy} with factor ${has.replication_factor ?? '?'}, which knows no datacenters or racks`;
    return [fail(seen, CURE)];
  }
  const results: CheckResult[] = [];
  for (const [dc, size] of sizes) {
    const want = wantedReplicas(size, configured);
    const seen = `${keyspace} has ${count(Number(has[dc] ?? 0), 'replica')} in ${dc}, which has ${count(size, 'node')}`;
    const factor = Number(has[dc] ?? 0);
    // `3/1`: transient replicas hold only what is not repaired.
    if (Number.isNaN(factor)) results.push(fail(`${keyspace} has transient replicas in ${dc} (${has[dc]})`, CURE));
    else if (factor < want) results.push(fail(`${seen}; it should have ${want}`, CURE));
    else if (factor > size) results.push(fail(`${seen}: writes at QUORUM count replicas that are not there`, CURE));
    else results.push(pass(seen));
  }
  for (const dc of Object.keys(has)) {
    if (dc === 'class' || sizes.has(dc)) continue;
    results.push(fail(`${keyspace} has ${count(Number(has[dc]), 'replica')} in ${dc}, which has no node`, CURE));
  }
  return results;
}

/** With one replica of the roles, nobody can log in while the node that holds them is down. */
export function judgeLogins(auth: Record<string, string>, nodes: number): CheckResult[] {
  const factors = Object.entries(auth).flatMap(([key, v]) => (key === 'class' ? [] : [Number(v)]));
  const least = Math.min(...factors);
  if (nodes < 2 || least > 1) return [];
  return [
    warn(
      `system_auth, which holds the logins, has 1 replica for ${nodes} nodes`,
      "ALTER KEYSPACE system_auth WITH replication = {'class': 'NetworkTopologyStrategy', …}, then `nodetool repair --full system_auth` on every node",
    ),
  ];
}
