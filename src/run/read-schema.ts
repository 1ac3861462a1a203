import { describeKeyspace, foreignTables, isDurable, readSchemaRows } from '../drivers/cassandra/schema.ts';
import { SkepError } from '../errors.ts';
import type { Connections } from './connections.ts';
import type { Details } from './details.ts';

/**
 * The schema of the keyspace as a restore and the reader of commit logs need it. Error: `preflight-failed` when its
 * writes bypass the commit log.
 */
export async function readSchema(c: Connections): Promise<Details['schema']> {
  const [cql] = [...c.cql.values()];
  if (!cql) throw new SkepError('topology-mismatch', 'the cluster has no Cassandra node');
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
  };
}
