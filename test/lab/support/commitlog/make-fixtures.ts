// Makes test/fixtures/commitlog anew: `node test/lab/support/commitlog/make-fixtures.ts`. Real nodes write, Cassandra tells what is in it.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseTableSchemas, readSegment, SegmentWriter, type SchemaRows } from '../../../../src/commitlog/index.ts';
import { CASSANDRA_VERSIONS, type CassandraVersion } from '../../../../lab/layout.ts';
import { askCassandra, WAYS } from '../../../../lab/oracle/oracle.ts';
import { readSchemaRows } from './schema-rows.ts';
import { readSegmentFolder } from './segment-folder.ts';
import { makeSingleNode, type SingleNode } from '../../../../lab/oracle/single-node.ts';
import { writeShapes } from '../../../../lab/oracle/workload.ts';

const FIXTURES = path.join(import.meta.dirname, '..', '..', '..', 'fixtures', 'commitlog');
/** Mutations of other keyspaces that are left in, to be passed over. */
const FOREIGN = 5;
const SECTION = 8;

for (const version of CASSANDRA_VERSIONS) {
  const work = await mkdtemp(path.join(tmpdir(), 'skep-fixtures-'));
  try {
    await make(version, work, path.join(FIXTURES, version));
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function make(version: CassandraVersion, work: string, into: string): Promise<void> {
  const extra = version === '5.0.6' ? { storage_compatibility_mode: 'NONE' } : {};
  const node = await makeSingleNode(version, path.join(work, 'node'), '127.0.120.2', extra);
  const rows = await write(node, version);
  const cut = path.join(work, 'cut');
  await cutDown(node.commitlog, cut, rows);
  const answers = await askCassandra(node, cut, path.join(work, 'answers'), SECTION);
  await rm(into, { recursive: true, force: true });
  await mkdir(into, { recursive: true });
  await writeFile(path.join(into, 'schema.json'), `${JSON.stringify(small(rows))}\n`);
  for (const way of WAYS) {
    await mkdir(path.join(into, way));
    for (const { name, bytes } of await readSegmentFolder(answers[way].folder)) {
      await writeFile(path.join(into, way, name), trimmed(bytes));
    }
    await writeFile(path.join(into, `${way}.lines`), `${answers[way].lines.join('\n')}\n`);
  }
}

async function write(node: SingleNode, version: CassandraVersion): Promise<SchemaRows> {
  try {
    await node.start();
    const client = await node.connect();
    try {
      await writeShapes(client, version, version === '5.0.6' ? 8 : 7);
      return await readSchemaRows(client);
    } finally {
      await client.shutdown();
    }
  } finally {
    await node.kill();
  }
}

/** One segment with the mutations of the keyspace `shapes` and a few others. */
async function cutDown(from: string, to: string, rows: SchemaRows): Promise<void> {
  await mkdir(to);
  const shapes = parseTableSchemas(rows, new Set(['shapes']));
  const ids = new Set([...shapes.keys()].map((id) => id.replaceAll('-', '')));
  let id = 1n;
  const writer = new SegmentWriter({
    nextId: () => id++,
    segmentSize: 1 << 20,
    write: ({ name, bytes }) => writeFile(path.join(to, name), bytes),
  });
  let foreign = 0;
  for (const { name, bytes } of await readSegmentFolder(from)) {
    for (const { bytes: b, start, end } of readSegment(name, bytes, 'live')) {
      // The first table id follows the size, its CRC and a count of one byte.
      if (!ids.has(b.toString('hex', start + 9, start + 25)) && foreign++ >= FOREIGN) continue;
      writer.add(name.startsWith('CommitLog-8-') ? 8 : 7, b.subarray(start, end));
    }
  }
  await writer.flush();
}

function small(rows: SchemaRows): SchemaRows {
  const kept = (r: { keyspace_name: string }): boolean => ['shapes', 'system'].includes(r.keyspace_name);
  return {
    tables: rows.tables.filter(kept),
    views: rows.views.filter(kept),
    columns: rows.columns.filter(kept),
    types: rows.types.filter(kept),
    dropped_columns: rows.dropped_columns.filter(kept),
  };
}

/** Without most of the zeroes that an uncompressed segment ends with. */
function trimmed(bytes: Uint8Array): Uint8Array {
  let end = bytes.length;
  while (end > 0 && bytes[end - 1] === 0) end--;
  return bytes.subarray(0, Math.min(bytes.length, end + 256));
}
