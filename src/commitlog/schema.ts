import { z } from 'zod';
import { SkepError } from '../errors.ts';
import { valueShape, type ValueShape } from './cql-type.ts';

const UUID = z.string().regex(/^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/);
const Flags = z.array(z.string()).nullish();

/**
 * The rows of `system_schema` that decoding needs, as plain JSON: ids as lower-case strings, sets as arrays. Other
 * columns are dropped by `parse`. Small enough for a manifest, so that a restore needs no cluster.
 */
export const SchemaRows = z.object({
  tables: z.array(z.object({ keyspace_name: z.string(), table_name: z.string(), id: UUID, flags: Flags })),
  /** Materialised views have rows of their own in the log, and in `system_schema.columns`. */
  views: z.array(z.object({ keyspace_name: z.string(), view_name: z.string(), id: UUID })).default([]),
  columns: z.array(
    z.object({
      keyspace_name: z.string(),
      table_name: z.string(),
      column_name: z.string(),
      kind: z.enum(['partition_key', 'clustering', 'static', 'regular']),
      position: z.number().int(),
      type: z.string(),
    }),
  ),
  types: z.array(z.object({ keyspace_name: z.string(), type_name: z.string() })).default([]),
  dropped_columns: z
    .array(z.object({ keyspace_name: z.string(), table_name: z.string(), column_name: z.string(), type: z.string() }))
    .default([]),
});
export type SchemaRows = z.infer<typeof SchemaRows>;

/** What it takes to walk over the rows of one table. */
export interface TableSchema {
  /** Lower-case UUID, the table's identity in the log. */
  id: string;
  keyspace: string;
  table: string;
  /** Byte length of each clustering value, -1 for those that carry their own. */
  clustering: number[];
  /** Regular, static and dropped columns by name (its UTF-8 bytes as a latin1 string). */
  columns: ReadonlyMap<string, ValueShape>;
  /** Counters cannot be replayed: increments would count twice. */
  counter: boolean;
}

/**
 * The tables of `keyspaces` (default: all) by id, out of rows of `system_schema`.
 * Errors: `segment-unsupported` (a type that is not known, a super column family), `segment-schema-mismatch` (rows
 * that are not such rows).
 */
export function parseTableSchemas(rows: unknown, keyspaces?: ReadonlySet<string>): Map<string, TableSchema> {
  const schema = parseRows(rows);
  const types = new Map<string, Set<string>>();
  for (const t of schema.types) group(types, t.keyspace_name, () => new Set()).add(t.type_name);
  const columns = new Map<string, SchemaRows['columns']>();
  for (const c of schema.columns) group(columns, keyOf(c), () => []).push(c);
  const dropped = new Map<string, SchemaRows['dropped_columns']>();
  for (const c of schema.dropped_columns) group(dropped, keyOf(c), () => []).push(c);

  const found = new Map<string, TableSchema>();
  const views = schema.views.map((v) => ({ ...v, table_name: v.view_name, flags: null }));
  for (const t of [...schema.tables, ...views]) {
    if (keyspaces !== undefined && !keyspaces.has(t.keyspace_name)) continue;
    if (t.flags?.includes('super')) {
      throw new SkepError('segment-unsupported', `${t.keyspace_name}.${t.table_name} is a super column family`);
    }
    const own = columns.get(keyOf(t)) ?? [];
    const userTypes = types.get(t.keyspace_name) ?? new Set<string>();
    found.set(t.id, {
      id: t.id,
      keyspace: t.keyspace_name,
      table: t.table_name,
      clustering: clusteringOf(own, userTypes),
      columns: columnsOf(own, dropped.get(keyOf(t)) ?? [], userTypes),
      counter: own.some((c) => c.type === 'counter'),
    });
  }
  return found;
}

/** The ids of every table that is not in `keyspaces`: mutations of these need no decoding. */
export function foreignTableIds(rows: unknown, keyspaces: ReadonlySet<string>): Set<string> {
  const schema = parseRows(rows);
  return new Set([...schema.tables, ...schema.views].filter((t) => !keyspaces.has(t.keyspace_name)).map((t) => t.id));
}

/** Only the rows that it takes to decode `keyspaces` and to know all other tables by their ids: for keeping. */
export function narrowSchema(rows: unknown, keyspaces: ReadonlySet<string>): SchemaRows {
  const schema = parseRows(rows);
  const ours = (row: { keyspace_name: string }): boolean => keyspaces.has(row.keyspace_name);
  return {
    tables: schema.tables,
    views: schema.views,
    columns: schema.columns.filter(ours),
    types: schema.types.filter(ours),
    dropped_columns: schema.dropped_columns.filter(ours),
  };
}

function parseRows(rows: unknown): SchemaRows {
  const parsed = SchemaRows.safeParse(rows);
  if (parsed.success) return parsed.data;
  throw new SkepError('segment-schema-mismatch', `schema rows are malformed: ${z.prettifyError(parsed.error)}`);
}

function clusteringOf(columns: SchemaRows['columns'], userTypes: ReadonlySet<string>): number[] {
  const clustering = columns.filter((c) => c.kind === 'clustering').toSorted((a, b) => a.position - b.position);
  return clustering.map((c) => valueShape(c.type, userTypes).fixed);
}

function columnsOf(
  columns: SchemaRows['columns'],
  dropped: SchemaRows['dropped_columns'],
  userTypes: ReadonlySet<string>,
): Map<string, ValueShape> {
  // Dropped ones first: a column that was added again is the one that counts, as in Cassandra.
  const found = new Map<string, ValueShape>();
  const present = columns.filter((c) => c.kind === 'static' || c.kind === 'regular');
  for (const c of [...dropped, ...present]) found.set(latin1(c.column_name), valueShape(c.type, userTypes));
  return found;
}

function latin1(name: string): string {
  return Buffer.from(name, 'utf8').toString('latin1');
}

function keyOf(row: { keyspace_name: string; table_name: string }): string {
  return JSON.stringify([row.keyspace_name, row.table_name]);
}

function group<V>(map: Map<string, V>, key: string, make: () => V): V {
  let value = map.get(key);
  if (value === undefined) map.set(key, (value = make()));
  return value;
}
