import type { Topology } from '../discovery/topology.ts';
import { SkepError } from '../errors.ts';
import { anyCql, type Connections } from '../run/connections.ts';
import { agreement } from '../run/restore-schema.ts';
import { planRepairFix } from './fix-repair.ts';
import type { FixPlan } from './plan-fix.ts';
import { isOneOnOne, sizesOf, wantedReplicas } from './replication.ts';

/**
 * NetworkTopologyStrategy with enough replicas in every datacenter, then a full repair, since the new replicas are empty
 * until then. Nothing to do when it is so already. A factor that is higher and fits is kept. Pure.
 */
export function planReplicationFix(topology: Topology, configured: number | undefined): FixPlan {
  const { keyspace, replication: has } = topology;
  if (has.class === undefined) {
    throw new SkepError('preflight-failed', `there is no keyspace ${keyspace}`, {
      hint: 'Mend `cassandra.keyspace` in skep.yaml.',
    });
  }
  if (isOneOnOne(has, topology.nodes.length)) return { repair: [], steps: [] };
  const isNetwork = has.class.endsWith('NetworkTopologyStrategy');
  const target: Record<string, string> = {};
  for (const [dc, size] of sizesOf(topology.nodes.map((n) => n.datacenter))) {
    const want = wantedReplicas(size, configured);
    const factor = isNetwork ? Number(has[dc]) : Number.NaN;
    target[dc] = String(factor >= want && factor <= size ? factor : want);
  }
  const { class: _, ...now } = has;
  if (isNetwork && sameEntries(now, target)) return { repair: [], steps: [] };
  const factors = Object.entries(target).map(([dc, n]) => `'${dc}': ${n}`);
  const replication = `{'class': 'NetworkTopologyStrategy', ${factors.join(', ')}}`;
  const statement = `ALTER KEYSPACE ${keyspace} WITH replication = ${replication}`;
  const repair = planRepairFix(topology);
  return {
    statement,
    repair: repair.repair,
    steps: [
      { text: statement, changes: true },
      { text: 'wait until every node has the new schema', changes: false },
      ...repair.steps,
    ],
  };
}

function sameEntries(a: Record<string, string>, b: Record<string, string>): boolean {
  const keys = new Set([...Object.keys(a), ...Object.keys(b)]);
  return [...keys].every((k) => a[k] === b[k]);
}

/** Makes the change and waits until every node has it. Errors: `cql-failed`. */
export async function alterReplication(c: Connections, statement: string, signal: AbortSignal): Promise<void> {
  await anyCql(c).query(statement);
  await agreement(c, signal);
}
