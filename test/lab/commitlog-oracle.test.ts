import { cp, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from 'cassandra-driver';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { CassandraVersion } from '../../lab/layout.ts';
import { describeSegments } from './support/commitlog/describe-segments.ts';
import { askCassandra, WAYS, type Answer, type Way } from '../../lab/oracle/oracle.ts';
import { REPLAYED, readReplayed, writeAfter, writeBefore } from '../../lab/oracle/replayed.ts';
import { readSchemaRows } from './support/commitlog/schema-rows.ts';
import { readSegmentFolder } from './support/commitlog/segment-folder.ts';
import { makeSingleNode, type SingleNode } from '../../lab/oracle/single-node.ts';
import { writeGraph, writeShapes } from '../../lab/oracle/workload.ts';
import {
  ALL_PARTS,
  checkContiguous,
  filterSegments,
  foreignTableIds,
  parseSegmentName,
  parseTableSchemas,
  parseTruncation,
  readSegment,
  type FilterStats,
  type SchemaRows,
  type TimestampParts,
  type Truncation,
} from '../../src/commitlog/index.ts';

// One node after the other; the newer version, which can write both formats, only where it is asked for.
const FORMATS: { version: CassandraVersion; format: number; yaml: Record<string, unknown> }[] = [
  { version: '4.1.10', format: 7, yaml: {} },
  { version: '5.0.6', format: 7, yaml: {} },
  { version: '5.0.6', format: 8, yaml: { storage_compatibility_mode: 'NONE' } },
];
const asked = process.env['SKEP_LAB_CASSANDRA'] === 'all' ? FORMATS : FORMATS.slice(0, 1);
const SECTION = 40;
const GRAPH_BATCHES = 3000;

describe.each(asked)('the commit log of Cassandra $version in format $format', ({ version, format, yaml }) => {
  let root: string;
  let node: SingleNode;
  let source: string;
  let rows: SchemaRows;
  let truncatedAt: Map<string, Truncation>;
  let T: bigint;
  /** The tables as they were read at `T`. */
  let atT: string[];
  let answers: Record<'source' | Way, Answer>;

  beforeAll(async () => {
    root = await mkdtemp(path.join(tmpdir(), 'skep-oracle-'));
    source = path.join(root, 'source');
    node = await makeSingleNode(version, path.join(root, 'node'), '127.0.120.1', yaml);
    await node.start();
    const client = await node.connect();
    try {
      await load(client);
      rows = await readSchemaRows(client);
      truncatedAt = await readTruncations(client);
    } finally {
      await client.shutdown();
    }
    await untilSynced(node.commitlog);
    await node.kill();
    await cp(node.commitlog, source, { recursive: true });
    answers = await askCassandra(node, source, path.join(root, 'answers'), SECTION);
  });

  afterAll(async () => {
    await node?.kill();
    await rm(root, { recursive: true, force: true });
  });

  async function load(client: Client): Promise<void> {
    await writeShapes(client, version, format);
    for (const keyspace of REPLAYED) await writeBefore(client, keyspace);
    atT = await readReplayed(client, REPLAYED[0]);
    expect(await readReplayed(client, REPLAYED[1])).toEqual(atT);
    // Odd, as cuts are, and between the last write before it and the first one after it.
    T = (BigInt(Date.now()) * 1000n) | 1n;
    while (BigInt(Date.now()) * 1000n <= T) await sleep(1);
    for (const keyspace of REPLAYED) await writeAfter(client, keyspace, T);
    await writeGraph(client, GRAPH_BATCHES);
  }

  test.each(['source', ...WAYS] as const)('says the same to skep and to Cassandra: %s', async (way) => {
    const { folder, lines } = answers[way];
    const segments = await readSegmentFolder(folder);
    expect(describeSegments(segments, parseTableSchemas(rows))).toEqual(lines);
    expect(lines.length).toBeGreaterThan(GRAPH_BATCHES);
    expect(segments.length).toBeGreaterThan(1);
    expect(new Set(segments.map((s) => parseSegmentName(s.name)?.version))).toEqual(new Set([format]));
    expect(checkContiguous(segments.map((s) => parseSegmentName(s.name)!.id))).toEqual([]);
  });

  test('once filtered is replayed by a plain start: what was there at T, and nothing that came after', async () => {
    await emptyTables(node.root);
    await rm(node.commitlog, { recursive: true });
    await mkdir(node.commitlog);
    const stats = await filterInto(REPLAYED[0], ALL_PARTS);
    expect(stats.kept).toBeGreaterThan(20);
    expect(stats.after).toBeGreaterThan(5);
    expect(stats.truncated).toBeGreaterThan(0);
    expect(stats.unsynced.atOrBeforeT).toBe(0);
    // The control: a filter that overlooks row deletions, as Cassandra's own does.
    await filterInto(REPLAYED[1], { ...ALL_PARTS, rowDeletions: false });
    await node.start();
    const client = await node.connect();
    try {
      expect(await readReplayed(client, REPLAYED[0])).toEqual(atT);
      const leaky = await readReplayed(client, REPLAYED[1]);
      expect(leaky).not.toEqual(atT);
      expect(atT.filter((r) => !leaky.includes(r))).toEqual([expect.stringContaining('"deleted after T"')]);
    } finally {
      await client.shutdown();
    }
  });

  async function filterInto(keyspace: string, parts: TimestampParts): Promise<FilterStats> {
    const keyspaces = new Set([keyspace]);
    const segments = await readSegmentFolder(source);
    const present = await readdir(node.commitlog);
    const known = [...segments.map((s) => s.name), ...present].map((n) => parseSegmentName(n)?.id ?? 0n);
    let id = known.reduce((a, b) => (a > b ? a : b), BigInt(Date.now()));
    return await filterSegments(
      {
        segments: segments.map(({ name, bytes }) => ({ name, read: () => bytes })),
        schema: parseTableSchemas(rows, keyspaces),
        foreign: foreignTableIds(rows, keyspaces),
        T,
        truncatedAt,
        parts,
      },
      {
        nextId: () => ++id,
        segmentSize: 4096,
        write: ({ name, bytes }) => writeFile(path.join(node.commitlog, name), bytes),
      },
    );
  }
});

async function readTruncations(client: Client): Promise<Map<string, Truncation>> {
  const found = await client.execute('SELECT truncated_at FROM system.local');
  const records = found.first().get('truncated_at') as Record<string, Buffer>;
  return new Map(Object.entries(records).map(([id, blob]) => [id, parseTruncation(blob)]));
}

/** Cassandra marks what it has written every so often: waits until nothing stands behind the last marker. */
async function untilSynced(commitlog: string): Promise<void> {
  const limit = Date.now() + 30_000;
  for (;;) {
    const segments = await readSegmentFolder(commitlog);
    const unsynced = segments.some(({ name, bytes }) => [...readSegment(name, bytes, 'live')].some((e) => !e.synced));
    if (!unsynced) return;
    if (Date.now() > limit) throw new Error('the commit log was not synced');
    await sleep(100);
  }
}

/** Takes the tables' files away, so that whatever is there after a start came out of the commit log. */
async function emptyTables(root: string): Promise<void> {
  for (const keyspace of REPLAYED) {
    const folder = path.join(root, 'data', keyspace);
    for (const table of await readdir(folder)) {
      for (const file of await readdir(path.join(folder, table))) {
        await rm(path.join(folder, table, file), { recursive: true });
      }
    }
  }
}
