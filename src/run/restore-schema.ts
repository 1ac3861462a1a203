import { setTimeout as delay } from 'node:timers/promises';
import { planSchema, splitStatements } from '../drivers/cassandra/schema-diff.ts';
import { describeKeyspace } from '../drivers/cassandra/schema.ts';
import { clearSnapshotArgs, nodetool, snapshotArgs } from '../drivers/cassandra/nodetool.ts';
import { SkepError } from '../errors.ts';
import type { Connections } from './connections.ts';
import { anyCql, onCassandraNodes } from './connections.ts';
import type { Details } from './details.ts';

/** So long that no tombstone is purged before the repair has made all replicas equal: ten years. */
const LONG_GRACE = 315_360_000;

/**
 * Brings the live keyspace to the backup's schema, tables under the ids that they had. A keyspace that differs is
 * dropped (its data lie in the undo snapshot) and made again. May be repeated.
 */
export async function restoreSchema(c: Connections, details: Details, signal: AbortSignal): Promise<void> {
  const cql = anyCql(c);
  const { keyspace } = details.topology;
  const wanted = details.schema.statements;
  const plan = planSchema(await describeKeyspace(cql, keyspace), wanted);
  if (plan === 'keep') return;
  if (plan === 'replace') {
    await cql.query(`DROP KEYSPACE ${keyspace}`);
    await agreement(c, signal);
  }
  for (const statement of wanted) {
    for (const one of splitStatements(statement.cql)) await cql.query(one);
  }
  await agreement(c, signal);
  if (planSchema(await describeKeyspace(cql, keyspace), wanted) !== 'keep') {
    throw new SkepError('restore-failed', `keyspace ${keyspace} does not have the schema of the backup`, {
      hint: `Compare \`DESCRIBE KEYSPACE ${keyspace} WITH INTERNALS\` with \`skep show --json\`.`,
    });
  }
}

/**
 * Flushed hard links of what is there now, kept until the restore is confirmed; nothing when there is no keyspace. One
 * that an interrupted try has left may hold only some of the tables: nothing was changed since, so it is taken anew.
 */
export async function snapshotForUndo(c: Connections, tag: string, signal: AbortSignal): Promise<void> {
  const { keyspace } = c.cluster.cassandra;
  if ((await describeKeyspace(anyCql(c), keyspace)).length === 0) return;
  await onCassandraNodes(c, async (agent) => {
    const snapshots = await nodetool(agent, c.cluster, ['listsnapshots'], { signal });
    if (snapshots.split(/\s+/).includes(tag)) await nodetool(agent, c.cluster, clearSnapshotArgs(tag, keyspace));
    await nodetool(agent, c.cluster, snapshotArgs(tag, keyspace, undefined), { signal, timeoutMs: 600_000 });
  });
}

export async function raiseGrace(c: Connections, details: Details, signal: AbortSignal): Promise<void> {
  await setGrace(c, details, () => LONG_GRACE, signal);
}

/** Puts the grace periods of the backup back. */
export async function lowerGrace(c: Connections, details: Details, signal: AbortSignal): Promise<void> {
  await setGrace(c, details, (row) => Number(row.gc_grace_seconds), signal);
}

async function setGrace(
  c: Connections,
  details: Details,
  of: (row: Record<string, unknown>) => number,
  signal: AbortSignal,
): Promise<void> {
  const { keyspace } = details.topology;
  for (const row of details.schema.rows.tables ?? []) {
    await anyCql(c).query(`ALTER TABLE ${keyspace}."${String(row.table_name)}" WITH gc_grace_seconds = ${of(row)}`);
  }
  await agreement(c, signal);
}

/** Waits until every node has the same schema version. Error: `cql-failed` after two minutes. */
export async function agreement(c: Connections, signal: AbortSignal): Promise<void> {
  const deadline = Date.now() + 120_000;
  for (;;) {
    const versions = new Set<string>();
    for (const cql of c.cql.values()) {
      for (const row of await cql.query('SELECT schema_version FROM system.local')) {
        versions.add(String(row.schema_version));
      }
    }
    if (versions.size === 1) return;
    if (Date.now() > deadline) throw new SkepError('cql-failed', 'the nodes do not agree on one schema after 120 s');
    await delay(100, undefined, { signal });
  }
}
