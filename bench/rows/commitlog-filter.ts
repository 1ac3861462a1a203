import { createHash } from 'node:crypto';
import { filterSegments, rewriteId, SegmentWriter, type FilterInput } from '../../src/commitlog/index.ts';
import { entry, schemaOf, table, update } from '../../test/unit/commitlog/handmade.ts';
import { cpuSeconds, median, round, type Row } from '../row.ts';

const SEGMENT = 32 << 20;
const T = 1_795_000_000_000_001n;
const MIB = 128;
const TURNS = 3;

/**
 * The commit log filter on one core over SHA-256 of the same bytes; rows as JanusGraph writes them, in memory.
 * `mb_s` is what the filter reads in a second of one core.
 */
export async function* commitlogFilter(): AsyncGenerator<Row> {
  for (const [what, rows, value] of [
    ['1_row', 1, 20],
    ['5_rows', 5, 60],
    ['50_rows', 50, 60],
  ] as const) {
    const input = await makeLog(rows, value);
    const ours: number[] = [];
    const peer: number[] = [];
    for (let n = 0; n < TURNS; n++) {
      ours.push(
        await cpuSeconds(() => filterSegments(input, { nextId: ids(), segmentSize: SEGMENT, write: () => {} })),
      );
      peer.push(await cpuSeconds(() => hashAll(input)));
    }
    const [ours_s, peer_s] = [median(ours), median(peer)];
    yield {
      bench: `commitlog_filter_${what}_vs_sha256`,
      ratio: round(ours_s / peer_s),
      ours_s: round(ours_s),
      peer_s: round(peer_s),
      n: TURNS,
      mb_s: Math.round((MIB << 20) / 1e6 / ours_s),
    };
  }
}

async function hashAll(input: FilterInput): Promise<string> {
  const hash = createHash('sha256');
  for (const s of input.segments) hash.update(await s.read());
  return hash.digest('hex');
}

/** A log of `MIB` MiB, one segment over and over: half of its mutations at or before `T`. */
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
  const count = Math.max(1, Math.round((MIB << 20) / SEGMENT));
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
