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
    const results = judgeReplication(topology, connections.cluster.cassandra.replication);
    const cql = [...connections.cql.values()][0];
    const rows =
      (await cql?.query('SELECT replication FROM system_schema.keyspaces WHERE keyspace_name = ?', ['system_auth'])) ??
      [];
    const auth = rows[0]?.replication as Record<string, string> | undefined;
    return auth ? [...results, ...judgeLogins(auth, topology.nodes.length)] : results;
  },
};

/** How many replicas each datacenter should have: as configured, else 3; never more than it has nodes. */
export function wantedReplicas(topology: Topology, configured: number | undefined): Map<string, number> {
  const nodes = new Map<string, number>();
  for (const n of topology.nodes) nodes.set(n.datacenter, (nodes.get(n.datacenter) ?? 0) + 1);
  return new Map([...nodes].sort().map(([dc, size]) => [dc, Math.min(size, configured ?? 3)]));
}

export function judgeReplication(topology: Topology, configured: number | undefined): CheckResult[] {
  const { replication: has, keyspace } = topology;
  const wanted = wantedReplicas(topology, configured);
  const strategy = has.class?.split('.').at(-1);
  if (strategy === undefined)
    return [fail(`there is no keyspace ${keyspace}`, 'mend `cassandra.keyspace` in skep.yaml')];
  if (strategy !== 'NetworkTopologyStrategy') {
    const seen = `${keyspace} has ${strategy} with factor ${has.replication_factor ?? '?'}, which knows no datacenters or racks`;
    return [fail(seen, CURE)];
  }
  const results: CheckResult[] = [];
  for (const [dc, want] of wanted) {
    const size = topology.nodes.filter((n) => n.datacenter === dc).length;
    const seen = `${keyspace} has ${count(Number(has[dc] ?? 0), 'replica')} in ${dc}, which has ${count(size, 'node')}`;
    const factor = Number(has[dc] ?? 0);
    // `3/1`: transient replicas hold only what is not repaired.
    if (Number.isNaN(factor)) results.push(fail(`${keyspace} has transient replicas in ${dc} (${has[dc]})`, CURE));
    else if (factor < want) results.push(fail(`${seen}; it should have ${want}`, CURE));
    else if (factor > size) results.push(fail(`${seen}: writes at QUORUM count replicas that are not there`, CURE));
    else results.push(pass(seen));
  }
  for (const dc of Object.keys(has)) {
    if (dc === 'class' || wanted.has(dc)) continue;
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
