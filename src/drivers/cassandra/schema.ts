import { z } from 'zod';
import type { Cql } from './cql.ts';

/** One statement of `DESCRIBE KEYSPACE … WITH INTERNALS`, in the order in which Cassandra gives them. */
export const statementSchema = z.object({ type: z.string(), name: z.string(), cql: z.string() });
export type Statement = z.output<typeof statementSchema>;

/**
 * A keyspace as the statements that make it again: tables with their ids (`WITH ID`) and dropped columns.
 * Empty when there is no such keyspace. Source: `DESCRIBE` on the server, Cassandra 4.0 and later.
 */
export async function describeKeyspace(cql: Cql, keyspace: string): Promise<Statement[]> {
  const there = await cql.query('SELECT keyspace_name FROM system_schema.keyspaces WHERE keyspace_name = ?', [
    keyspace,
  ]);
  if (there.length === 0) return [];
  const rows = await cql.query(`DESCRIBE KEYSPACE ${keyspace} WITH INTERNALS`);
  return rows.map((r) => ({ type: String(r.type), name: String(r.name), cql: String(r.create_statement) }));
}

/** The rows of `system_schema` that tell a reader of commit logs the types of one keyspace. */
export async function readSchemaRows(cql: Cql, keyspace: string): Promise<Record<string, Record<string, unknown>[]>> {
  const out: Record<string, Record<string, unknown>[]> = {};
  for (const table of ['tables', 'views', 'columns', 'types', 'dropped_columns']) {
    const rows = await cql.query(`SELECT * FROM system_schema.${table} WHERE keyspace_name = ?`, [keyspace]);
    // Through JSON, so that what is kept in a backup is what the reader gets now.
    out[table] = JSON.parse(JSON.stringify(rows)) as Record<string, unknown>[];
  }
  return out;
}

/** Ids (lower case, with dashes) of the tables of all other keyspaces: mutations of theirs are none of ours. */
export async function foreignTables(cql: Cql, keyspace: string): Promise<string[]> {
  const user = await cql.query('SELECT keyspace_name, id FROM system_schema.tables');
  return user.filter((r) => r.keyspace_name !== keyspace).map((r) => String(r.id));
}

/** Whether writes to a keyspace go through the commit log. */
export async function isDurable(cql: Cql, keyspace: string): Promise<boolean> {
  const rows = await cql.query('SELECT durable_writes FROM system_schema.keyspaces WHERE keyspace_name = ?', [
    keyspace,
  ]);
  return rows.every((r) => r.durable_writes !== false);
}

/** Names of the counter tables of a keyspace: a cut cannot hold them. */
export async function counterTables(cql: Cql, keyspace: string): Promise<string[]> {
  const rows = await cql.query('SELECT table_name, flags FROM system_schema.tables WHERE keyspace_name = ?', [
    keyspace,
  ]);
  return rows.filter((r) => (r.flags as string[] | null)?.includes('counter')).map((r) => String(r.table_name));
}

/** Materialised views of a keyspace. */
export async function viewsOf(cql: Cql, keyspace: string): Promise<string[]> {
  const rows = await cql.query('SELECT view_name FROM system_schema.views WHERE keyspace_name = ?', [keyspace]);
  return rows.map((r) => String(r.view_name));
}
