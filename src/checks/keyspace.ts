import { counterTables, viewsOf } from '../drivers/cassandra/schema.ts';
import { type Check, type CheckResult, fail, pass } from './check.ts';
import { count } from './format.ts';

export const keyspace: Check = {
  id: 'keyspace',
  title: 'the keyspace is there, and a cut can hold it',
  needs: 'preflight',
  async run(ctx) {
    const { keyspace: name, tables, replication } = ctx.topology;
    const cql = [...ctx.connections.cql.values()][0];
    const counters = cql ? await counterTables(cql, name) : [];
    const views = cql ? await viewsOf(cql, name) : [];
    const exists = Object.keys(replication).length > 0;
    return [judgeKeyspace({ name, exists, tables: tables.length, counters, views })];
  },
};

/**
 * A counter is no value but a sum of changes: it cannot be cut at a time. A materialised view is derived: it would come back as
 * it was before the restore.
 */
export function judgeKeyspace(o: {
  name: string;
  exists: boolean;
  tables: number;
  counters: string[];
  views: string[];
}): CheckResult {
  if (!o.exists) return fail(`there is no keyspace ${o.name}`, 'mend `cassandra.keyspace` in skep.yaml');
  if (o.tables === 0) return fail(`keyspace ${o.name} has no table`, 'mend `cassandra.keyspace` in skep.yaml');
  if (o.counters.length > 0) {
    return fail(
      `${o.name} has counters, which a cut cannot hold: ${o.counters.join(', ')}`,
      'move these tables into a keyspace of their own',
    );
  }
  if (o.views.length > 0) {
    return fail(
      `${o.name} has materialised views, which a backup does not hold: ${o.views.join(', ')}`,
      'drop them, and make them again after a restore: `DROP MATERIALIZED VIEW`',
    );
  }
  return pass(`${o.name} has ${count(o.tables, 'table')}, none with counters`);
}
