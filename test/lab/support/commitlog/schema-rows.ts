import type { Client } from 'cassandra-driver';
import { SchemaRows } from '../../../../src/commitlog/index.ts';

/** The rows of `system_schema` in the plain form that decoding takes. */
export async function readSchemaRows(client: Client): Promise<SchemaRows> {
  const rows = async (table: string): Promise<unknown[]> => {
    const found = await client.execute(`SELECT * FROM system_schema.${table}`, [], { fetchSize: 10_000 });
    // Ids print as text, sets come as arrays: the driver's rows need only a way through JSON.
    return JSON.parse(JSON.stringify(found.rows)) as unknown[];
  };
  return SchemaRows.parse({
    tables: await rows('tables'),
    views: await rows('views'),
    columns: await rows('columns'),
    types: await rows('types'),
    dropped_columns: await rows('dropped_columns'),
  });
}
