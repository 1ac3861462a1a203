// Elasticsearch, made so that a snapshot lasts long enough for a node to be stopped in the middle of it.
import { randomBytes } from 'node:crypto';
import { expect } from 'vitest';
import { awaitGreen, connectElasticsearch, withElasticsearch } from '../../../lab/clusters/elastic.ts';
import type { Lab, LabNode } from '../../../lab/index.ts';
import { STAGING, stagingFolder } from '../../../src/drivers/elasticsearch/snapshots.ts';

/** Among the audits, which a backup takes too. */
const INDEX = 'thehive-audits-large';
const DOCUMENTS = 300;
const DOCUMENT_BYTES = 8_000;
/** For some ten seconds. */
const SPEED = '200kb';
const BEGUN_MS = 60_000;
const GREEN_MS = 120_000;

/** Snapshots of a lab are slow until `end`. */
export async function slowSnapshots(lab: Lab) {
  const client = await connectElasticsearch(lab.record);
  await client.indices.create({ index: INDEX });
  const text = () => ({ details: randomBytes(DOCUMENT_BYTES / 2).toString('hex') });
  const operations = Array.from({ length: DOCUMENTS }, () => [{ index: { _index: INDEX } }, text()]).flat();
  const { errors } = await client.bulk({ operations, refresh: true });
  if (errors) throw new Error('the large index did not take all documents');
  // Skep leaves a repository alone that has its name and is where it should be.
  const location = stagingFolder(lab.record.elasticsearch.staging);
  await client.snapshot.createRepository({
    name: STAGING,
    repository: { type: 'fs', settings: { location, max_snapshot_bytes_per_sec: SPEED } },
  });
  const stageOfShard = async () => {
    const { snapshots } = await client.snapshot.status({ repository: STAGING });
    return snapshots[0]?.indices[INDEX]?.shards['0']?.stage;
  };
  return {
    /** Waits until a node gives its shard of the large index to a snapshot, and stops that node. */
    async stopNodeOfSnapshot(): Promise<LabNode> {
      await expect.poll(stageOfShard, { timeout: BEGUN_MS, interval: 50 }).toBe('STARTED');
      const shards = await client.cat.shards({ index: INDEX, format: 'json' });
      const node = lab.node(shards.find((s) => s.prirep === 'p')?.node ?? '');
      await node.elasticsearch.stop();
      return node;
    },
    /** Once all nodes are there again. */
    async end(): Promise<void> {
      await awaitGreen(client, lab.nodes.length, GREEN_MS);
      await client.indices.delete({ index: INDEX });
      await client.snapshot.deleteRepository({ name: STAGING });
      await client.close();
    },
  };
}

/** The snapshots that skep keeps in Elasticsearch, for the next one to need only what is new. */
export function stagedSnapshots(lab: Lab): Promise<string[]> {
  return withElasticsearch(lab.record, async (client) => {
    const { snapshots = [] } = await client.snapshot.get({ repository: STAGING, snapshot: '*' });
    return snapshots.map((s) => s.snapshot);
  });
}
