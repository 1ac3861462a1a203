import { JANUSGRAPH_TABLES } from '../nodes/janusgraph-config.ts';
import { awaitAgreement, type CqlClient } from './cql.ts';
import type { LabRecord } from './record.ts';

/** How a keyspace is replicated: on one machine as JanusGraph has it by itself, else with a copy on every node. */
export function replicationOf({ nodes, cql }: LabRecord): string {
  return nodes.length === 1
    ? "{'class': 'SimpleStrategy', 'replication_factor': 1}"
    : `{'class': 'NetworkTopologyStrategy', '${cql.datacenter}': ${nodes.length}}`;
}

/** Makes TheHive's keyspace and the tables of JanusGraph, lets its role use them, and waits for the nodes to agree on them. */
export async function makeTables(client: CqlClient, lab: LabRecord): Promise<void> {
  const { keyspace } = lab.thehive;
  await client.execute(`CREATE KEYSPACE ${keyspace} WITH replication = ${replicationOf(lab)}`);
  await awaitAgreement(client);
  // all through one node, which makes them one after the other: three nodes that make tables at once race
  const [host] = client.getState().getConnectedHosts();
  const made = JANUSGRAPH_TABLES.map((table) =>
    client.execute(
      `CREATE TABLE ${keyspace}.${table} (key blob, column1 blob, value blob, PRIMARY KEY (key, column1))
       WITH CLUSTERING ORDER BY (column1 ASC)
       AND compaction = {'class': 'SizeTieredCompactionStrategy'}
       AND compression = {'class': 'LZ4Compressor', 'chunk_length_in_kb': 64}
       AND gc_grace_seconds = 864000`,
      [],
      host === undefined ? {} : { host },
    ),
  );
  await Promise.all(made);
  // On the keyspace and no other, so it goes when that is dropped: a restore has to bring it back.
  await client.execute(`GRANT ALL PERMISSIONS ON KEYSPACE ${keyspace} TO ${lab.thehive.user}`);
  await awaitAgreement(client);
}
