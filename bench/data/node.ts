import { randomFillSync } from 'node:crypto';
import { closeSync, linkSync, mkdirSync, openSync, readdirSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { segment } from '../../test/unit/commitlog/handmade.ts';

/** What the agent is told of Cassandra on a node. */
export interface CassandraSource {
  dataDirs: string[];
  keyspace: string;
  tag: string;
  tables: { id: string; name: string }[];
  commitlogDir: string;
  /** What it takes to read the commit log; a log without mutations needs none of it. */
  reader?: { schema: unknown; foreign: string[] };
  /** How nodetool is run, where there is a running Cassandra: the snapshot is to be taken, and cleared. */
  nodetool?: string[];
}

const TABLES = ['edgestore', 'graphindex', 'systemlog'];

/**
 * A snapshot as Cassandra leaves it, of about `total` bytes: SSTables of 8 to 256 MiB whose `Data.db` is compressed
 * already (random bytes), with their small components; and a commit log with one empty segment.
 */
export function makeSnapshot(folder: string, total: number): CassandraSource {
  const source: CassandraSource = {
    dataDirs: [join(folder, 'data')],
    keyspace: 'thehive',
    tag: 'bench',
    tables: TABLES.map((name, i) => ({ name, id: `${i}`.repeat(32) })),
    commitlogDir: join(folder, 'commitlog'),
  };
  const sizes = [8, 16, 32, 64, 128, 256].map((mib) => mib << 20);
  for (let left = total, n = 0; left > 0; n++) {
    // However little it is, every table has some of it.
    const size = Math.min(left, sizes[n % sizes.length] as number, Math.ceil(total / TABLES.length));
    const table = source.tables[n % source.tables.length] as { id: string; name: string };
    makeSstable(join(folder, 'data', 'thehive', `${table.name}-${table.id}`, 'snapshots', 'bench'), n + 1, size);
    left -= size;
  }
  mkdirSync(source.commitlogDir);
  const { name, bytes } = segment(1_700_000_000_000n, []);
  writeFileSync(join(source.commitlogDir, name), bytes);
  return source;
}

/** A later snapshot of the same SSTables, as Cassandra makes it: hard links in another folder; the one before is cleared. */
export function snapshotAgain(source: CassandraSource, tag: string): CassandraSource {
  for (const dir of source.dataDirs.map((d) => join(d, source.keyspace))) {
    for (const table of readdirSync(dir)) {
      const [before, now] = [source.tag, tag].map((t) => join(dir, table, 'snapshots', t)) as [string, string];
      mkdirSync(now);
      for (const name of readdirSync(before)) linkSync(join(before, name), join(now, name));
      rmSync(before, { recursive: true });
    }
  }
  return { ...source, tag };
}

function makeSstable(folder: string, generation: number, size: number): void {
  mkdirSync(folder, { recursive: true });
  const components: Record<string, number> = {
    'Data.db': Math.floor(size * 0.97),
    'Index.db': Math.floor(size * 0.02),
    'Filter.db': Math.floor(size * 0.005),
    'CompressionInfo.db': Math.floor(size * 0.005),
    'Summary.db': 20_000,
    'Statistics.db': 10_000,
    'Digest.crc32': 10,
  };
  const at = (component: string) => join(folder, `nb-${generation}-big-${component}`);
  for (const [component, bytes] of Object.entries(components)) writeRandom(at(component), bytes);
  writeFileSync(at('TOC.txt'), [...Object.keys(components), 'TOC.txt', ''].join('\n'));
}

function writeRandom(path: string, size: number): void {
  const fd = openSync(path, 'w');
  const chunk = Buffer.allocUnsafeSlow(Math.min(size, 4 << 20));
  for (let done = 0; done < size;) {
    const next = randomFillSync(chunk.subarray(0, Math.min(chunk.length, size - done)));
    done += writeSync(fd, next);
  }
  closeSync(fd);
}
