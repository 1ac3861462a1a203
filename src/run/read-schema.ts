import type { Cql } from '../drivers/cassandra/cql.ts';
import { type Grant, readGrants } from '../drivers/cassandra/grants.ts';
import { describeKeyspace, foreignTables, isDurable, readSchemaRows } from '../drivers/cassandra/schema.ts';
import { SkepError, toSkepError } from '../errors.ts';
import type { Emit } from '../events.ts';
import { anyCql, type Connections } from './connections.ts';
import type { Details } from './details.ts';

/**
 * The schema of the keyspace as a restore and the reader of commit logs need it. Error: `preflight-failed` when its
 * writes bypass the commit log.
 */
export async function readSchema(c: Connections, emit: Emit): Promise<Details['schema']> {
  const cql = anyCql(c);
  const { keyspace } = c.cluster.cassandra;
  if (!(await isDurable(cql, keyspace))) {
    throw new SkepError('preflight-failed', `writes to ${keyspace} bypass the commit log, so no cut can be had`, {
      hint: `Run \`ALTER KEYSPACE ${keyspace} WITH durable_writes = true\`, then \`skep backup\` again.`,
      context: { keyspace },
    });
  }
  return {
    statements: await describeKeyspace(cql, keyspace),
    rows: (await readSchemaRows(cql, keyspace)) as Details['schema']['rows'],
    foreign: await foreignTables(cql, keyspace),
    grants: await grantsOf(cql, keyspace, emit),
  };
}

/** A backup without them is still one instant of the data; a restore after a total loss then lacks them, so it is told. */
async function grantsOf(cql: Cql, keyspace: string, emit: Emit): Promise<Grant[]> {
  try {
    return await readGrants(cql, keyspace);
  } catch (e) {
    const text = `who may use ${keyspace} cannot be read, and will not be in the backup: ${toSkepError(e).message}`;
    emit({ type: 'warning', text });
    return [];
  }
}
