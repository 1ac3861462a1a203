// How fast the commit log filter is: `node bench/commitlog-filter.ts [MiB]`. Rows as JanusGraph writes them, in memory.
import { parseArgs } from 'node:util';
import { filterSegments, inspectSegments, rewriteId, SegmentWriter, type FilterInput } from '../src/commitlog/index.ts';
import { entry, schemaOf, table, update } from '../test/unit/commitlog/handmade.ts';

const SEGMENT = 32 << 20;
const T = 1_795_000_000_000_001n;
const mib = Number(parseArgs({ allowPositionals: true }).positionals[0] ?? 256);

for (const [what, rows, value] of [
  ['1 small row a mutation', 1, 20],
  ['5 rows a mutation', 5, 60],
  ['50 rows a mutation', 50, 60],
] as const) {
  const input = await makeLog(rows, value);
  const bytes = mib << 20;
  for (const [how, run] of [
    ['inspect', () => inspectSegments(input)],
    ['filter', () => filterSegments(input, { nextId: ids(), segmentSize: SEGMENT, write: () => {} })],
  ] as const) {
    const before = process.cpuUsage();
    const stats = await run();
    const { user, system } = process.cpuUsage(before);
    const rate = bytes / (user + system);
    process.stdout.write(
      `${how}, ${what} (${Math.round(bytes / stats.entries)} bytes): ${rate.toFixed(0)} MB/s of one core, ` +
        `${stats.entries} entries, ${stats.kept} kept\n`,
    );
  }
}

/** A log of `mib` MiB, one segment over and over: half of its mutations at or before `T`. */
async function makeLog(rows: number, value: number): Promise<FilterInput> {
  const made: Buffer[] = [];
  const writer = new SegmentWriter({
    nextId: ids(),
    segmentSize: SEGMENT,
    write: (s) => void made.push(Buffer.from(s.bytes)),
  });
  const mutations = Array.from({ length: 1000 }, (_, i) => {
    const at = i % 2 === 0 ? T - BigInt(i) : T + BigInt(i);
    return entry(update(1, `vertex${i}`, at, { value: 'x'.repeat(value + (i % 20)), rows, deletion: i % 10 === 9 }));
  });
  for (let n = 0; made.length === 0; n++) {
    const next = mutations[n % mutations.length]!;
    if (!writer.fits(7, next.length)) await writer.flush();
    writer.add(7, next);
  }
  const count = Math.max(1, Math.round((mib << 20) / SEGMENT));
  const segments = Array.from({ length: count }, (_, i) => {
    const name = `CommitLog-7-${i + 1}.log`;
    return { name, read: () => rewriteId('CommitLog-7-1.log', made[0]!, BigInt(i + 1)).bytes };
  });
  return { segments, schema: schemaOf(table(1)), foreign: new Set(), T };
}

function ids(): () => bigint {
  let id = 0n;
  return () => ++id;
}
