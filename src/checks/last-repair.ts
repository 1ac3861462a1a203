import { readRepairs, repairedSince } from '../drivers/cassandra/repair-history.ts';
import { type Check, type CheckResult, pass, warn } from './check.ts';
import { age, count } from './format.ts';

const CURE = 'skep check --fix repair';

export const lastRepair: Check = {
  id: 'repair',
  title: 'every table was repaired within its gc_grace_seconds',
  needs: 'report',
  async run(ctx) {
    const { keyspace, replication } = ctx.topology;
    const cql = [...ctx.connections.cql.values()][0];
    if (!cql) return [];
    if (replicasOf(replication) === 1) {
      return [pass('one replica only: there is nothing to repair')];
    }
    const rows = await cql.query(
      'SELECT table_name, gc_grace_seconds FROM system_schema.tables WHERE keyspace_name = ?',
      [keyspace],
    );
    const tables = rows.map((r) => ({ name: String(r.table_name), graceMs: Number(r.gc_grace_seconds) * 1000 }));
    const since = repairedSince(
      await readRepairs(cql, keyspace),
      tables.map((t) => t.name),
    );
    return [judgeRepairs(tables, since, ctx.now)];
  },
};

/** Over all datacenters. */
export function replicasOf(replication: Record<string, string>): number {
  const { class: _, ...factors } = replication;
  return Object.values(factors).reduce((n, factor) => n + Number(factor), 0);
}

/** A deletion that one replica missed comes back when its tombstone is purged before a repair has spread it. */
export function judgeRepairs(
  tables: readonly { name: string; graceMs: number }[],
  since: ReadonlyMap<string, number | undefined>,
  now: number,
): CheckResult {
  const never = tables.filter((t) => since.get(t.name) === undefined).map((t) => t.name);
  if (never.length > 0) {
    const seen =
      never.length === tables.length
        ? 'no table was repaired over the whole ring as far as Cassandra remembers'
        : `not repaired over the whole ring as far as Cassandra remembers: ${never.join(', ')}`;
    return warn(seen, CURE);
  }
  const late = tables.filter((t) => now - (since.get(t.name) ?? 0) > t.graceMs);
  const oldest = Math.min(...tables.map((t) => since.get(t.name) ?? 0));
  if (late.length > 0) {
    const grace = Math.min(...late.map((t) => t.graceMs));
    const seen = `${count(late.length, 'table')} repaired longer ago than gc_grace_seconds (${age(grace)}): last ${age(now - oldest)} ago`;
    return warn(seen, CURE);
  }
  return pass(`${count(tables.length, 'table')}, the oldest repair ${age(now - oldest)} ago`);
}
