import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { type Lab, labUp, type LabNode, withCql } from '../../lab/index.ts';
import { loadCluster } from '../../src/config/load.ts';
import { openCql } from '../../src/drivers/cassandra/cql.ts';
import { nodetoolArgv } from '../../src/drivers/cassandra/nodetool.ts';
import { foreignTables, readSchemaRows } from '../../src/drivers/cassandra/schema.ts';
import { freeShift } from '../../test/lab/support/free-shift.ts';
import type { CassandraSource } from './node.ts';

const KEYSPACE = 'bench';
const ROW = 256 << 10;
const WRITERS = 6;

/** A node of a running cluster that holds a keyspace of its own. */
export interface FilledNode {
  lab: Lab;
  node: LabNode;
  source: CassandraSource;
  /** Writes so many bytes more and flushes them: another SSTable or more. */
  write(bytes: number): Promise<void>;
}

/**
 * Boots a lab below `folder`, fills its first node with `bytes` of what cannot be compressed, and stops what is no
 * Cassandra. Compactions are off, so that what a later backup finds is what was written in between.
 */
export async function withFilledNode<T>(
  folder: string,
  bytes: number,
  task: (filled: FilledNode) => Promise<T>,
): Promise<T> {
  const lab = await labUp({ root: join(folder, 'lab'), shift: await freeShift(), owner: process.pid });
  try {
    await lab.janusgraph.stop();
    for (const n of lab.nodes) await n.elasticsearch.stop();
    const node = lab.node('n1');
    await withCql(lab.record, async (cql) => {
      const replication = `{'class': 'SimpleStrategy', 'replication_factor': 1}`;
      await cql.execute(`CREATE KEYSPACE ${KEYSPACE} WITH replication = ${replication}`);
      const compaction = `{'class': 'SizeTieredCompactionStrategy', 'enabled': 'false'}`;
      await cql.execute(
        `CREATE TABLE ${KEYSPACE}.rows (id int PRIMARY KEY, body blob) WITH compaction = ${compaction}`,
      );
    });
    let id = 0;
    const write = async (more: number) => {
      id = await writeTo(lab, node, { from: id, bytes: more });
      await node.nodetool('flush', KEYSPACE);
    };
    await write(bytes);
    return await task({ lab, node, source: await sourceOf(lab, node), write });
  } finally {
    await lab.down();
  }
}

/** Rows that this node alone holds, their ids counted from `from`; gives the next id. */
async function writeTo(lab: Lab, node: LabNode, o: { from: number; bytes: number }): Promise<number> {
  return withCql(lab.record, async (cql) => {
    const query = `INSERT INTO ${KEYSPACE}.rows (id, body) VALUES (?, ?)`;
    let id = o.from;
    let left = o.bytes;
    const isHere = (key: number) => {
      const bytes = Buffer.alloc(4);
      bytes.writeInt32BE(key);
      const hosts = cql.getReplicas(KEYSPACE, bytes) ?? [];
      return hosts.some((host) => host.address.startsWith(`${node.record.address}:`));
    };
    const writer = async () => {
      while (left > 0) {
        const key = id++;
        if (!isHere(key)) continue;
        left -= ROW;
        await cql.execute(query, [key, randomBytes(ROW)], { prepare: true });
      }
    };
    await Promise.all(Array.from({ length: WRITERS }, writer));
    return id;
  });
}

async function sourceOf(lab: Lab, node: LabNode): Promise<CassandraSource> {
  const cluster = await loadCluster({ file: lab.config });
  const cql = await openCql(cluster, node.record.address);
  try {
    const schema = await readSchemaRows(cql, KEYSPACE);
    const { data, commitlog } = node.record.cassandra;
    return {
      dataDirs: [data],
      keyspace: KEYSPACE,
      tag: 'bench',
      tables: (schema['tables'] ?? []).map((t) => ({ id: String(t['id']), name: String(t['table_name']) })),
      commitlogDir: commitlog,
      reader: { schema, foreign: await foreignTables(cql, KEYSPACE) },
      nodetool: nodetoolArgv(cluster, node.name, []),
    };
  } finally {
    await cql.close();
  }
}
