import { mkdir, readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { awaitAgreement, withCql } from './cql.ts';
import { withElasticsearch } from './elastic.ts';
import type { Lab } from './lab.ts';
import type { LabRecord } from './record.ts';
import { makeTables } from './tables.ts';

/** Indices of TheHive: JanusGraph's and the audit log's. */
const INDICES = 'thehive_*,thehive-audits*';
/** The audit log's template. */
const TEMPLATE = 'thehive-audits';

/**
 * Total loss: keyspace dropped, the folders of its tables and the commit logs emptied, indices and the audits'
 * template deleted, attachments removed. Afterwards Cassandra and Elasticsearch are up and empty, JanusGraph is stopped.
 */
export async function destroyData(lab: Lab, signal?: AbortSignal): Promise<void> {
  const { record } = lab;
  await lab.janusgraph.stop();
  await dropKeyspace(record);
  await deleteIndices(record);
  // an orderly stop flushes what else the commit log holds, accounts above all: only then may it be emptied
  await Promise.all(lab.nodes.map((n) => n.cassandra.stop()));
  for (const node of record.nodes) {
    await rm(path.join(node.cassandra.data, record.thehive.keyspace), { recursive: true, force: true });
    await emptyFolder(node.cassandra.commitlog);
  }
  await emptyFolder(record.files.attachments);
  await Promise.all(lab.nodes.map((n) => n.cassandra.start(signal)));
}

/** The lab as after boot: no data, no snapshot, no backup; new tables; JanusGraph running. Faster than a new lab. */
export async function resetData(lab: Lab, signal?: AbortSignal): Promise<void> {
  const { record } = lab;
  // a test may have stopped any of them
  await Promise.all(lab.services().map((s) => (s === lab.janusgraph ? s.stop() : s.start(signal))));
  await dropKeyspace(record);
  await deleteIndices(record);
  await withElasticsearch(record, async (client) => {
    await client.snapshot.deleteRepository({ name: '*' }, { ignore: [404] });
  });
  for (const node of record.nodes) {
    // snapshots outlive the tables that they were taken of
    await rm(path.join(node.cassandra.data, record.thehive.keyspace), { recursive: true, force: true });
  }
  const state = path.join(record.root, 'skep-state');
  for (const folder of [
    record.files.attachments,
    record.elasticsearch.staging,
    record.repository,
    record.ledger,
    state,
  ]) {
    await emptyFolder(folder);
  }
  await withCql(record, (client) => makeTables(client, record));
  await lab.janusgraph.start(signal);
}

async function dropKeyspace(record: LabRecord): Promise<void> {
  await withCql(record, async (client) => {
    await client.execute(`DROP KEYSPACE IF EXISTS ${record.thehive.keyspace}`);
    // a node that is stopped before it has heard of the drop would come back with the keyspace
    await awaitAgreement(client);
  });
}

async function deleteIndices(record: LabRecord): Promise<void> {
  await withElasticsearch(record, async (client) => {
    const found = await client.indices.get({ index: INDICES, allow_no_indices: true, expand_wildcards: 'all' });
    // one by one and by name: wildcards may be forbidden for deletions
    for (const index of Object.keys(found)) await client.indices.delete({ index });
    await client.indices.deleteIndexTemplate({ name: TEMPLATE }, { ignore: [404] });
  });
}

async function emptyFolder(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (const name of await readdir(folder)) await rm(path.join(folder, name), { recursive: true, force: true });
}
