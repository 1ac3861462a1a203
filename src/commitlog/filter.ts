import { SkepError } from '../errors.ts';
import { Classifier, type Classified, type CutRules } from './classify.ts';
import { makeEntry } from './entry.ts';
import { damaged, parseSegmentName, type SegmentVersion } from './header.ts';
import { isUnused, type Tail } from './segment.ts';
import { SegmentWriter, type SegmentOutput } from './writer.ts';

/** One segment of a node's log. `read` gives all of its bytes, and may be called twice. */
export interface SegmentSource {
  /** The name that Cassandra gave it. */
  name: string;
  read(): Promise<Uint8Array> | Uint8Array;
  /**
   * Default: `live` for the last segment (and for the one before where the last is an unused one), else `closed`. Say
   * `live` for every segment that was copied before Cassandra had finished it.
   */
  tail?: Tail;
}

export interface FilterInput extends CutRules {
  /** Of one node, in the order of their ids. */
  segments: readonly SegmentSource[];
  signal?: AbortSignal;
}

/** What was found. Entries behind the last sync marker of a live copy are counted under `unsynced` only. */
export interface FilterStats {
  segments: number;
  bytes: number;
  entries: number;
  kept: number;
  /** Kept in part: of some of its tables. */
  partly: number;
  after: number;
  truncated: number;
  unwanted: number;
  foreign: number;
  dropped: number;
  keptBytes: number;
  /** Newest timestamp of any decoded mutation, and of those kept; microseconds. */
  newest: bigint | undefined;
  newestKept: bigint | undefined;
  /** Ids of the wanted tables that occur in kept mutations, sorted. */
  tables: string[];
  /** `atOrBeforeT` above 0: a write that belongs to the cut was not yet synced. The copy was taken too early. */
  unsynced: { entries: number; atOrBeforeT: number };
}

/** A partition that was written to after `T`. */
export interface ChangedPartition {
  tableId: string;
  key: Buffer;
  newest: bigint;
}

/**
 * Writes new segments that hold only the mutations of wanted tables at or before `T`, in their order. One segment at a
 * time is in memory. Errors: `segment-damaged`, `segment-unsupported`, `segment-schema-mismatch`, `cancelled`; then
 * what was written so far must be thrown away.
 */
export async function filterSegments(input: FilterInput, output: SegmentOutput): Promise<FilterStats> {
  const writer = new SegmentWriter(output);
  const stats = await walk(input, writer);
  await writer.flush();
  return stats;
}

/** The same walk without writing: to judge copies while the log can still be copied again. */
export async function inspectSegments(input: FilterInput): Promise<FilterStats> {
  return await walk(input, undefined);
}

async function walk(input: FilterInput, writer: SegmentWriter | undefined): Promise<FilterStats> {
  const stats = noStats();
  const tables = new Set<string>();
  for await (const { version, bytes, entries } of classified(input)) {
    stats.segments++;
    stats.bytes += bytes.length;
    for (const found of entries) {
      if (!found.entry.synced) {
        countUnsynced(stats, found);
        continue;
      }
      count(stats, found);
      if (found.verdict !== 'kept' && found.verdict !== 'partly') continue;
      for (const u of found.updates) tables.add(u.table.id);
      const entry = entryOf(found);
      stats.keptBytes += entry.length;
      if (writer === undefined) continue;
      if (!writer.fits(version, entry.length)) await writer.flush();
      writer.add(version, entry);
    }
  }
  stats.tables = [...tables].sort();
  return stats;
}

/** The partitions of wanted tables that were written to after `T`, once per mutation: what an index must look at. */
export async function* changedPartitions(input: FilterInput): AsyncGenerator<ChangedPartition, void, undefined> {
  for await (const { entries } of classified(input)) {
    for (const { verdict, updates, entry, newest } of entries) {
      if (verdict !== 'after' || newest === undefined) continue;
      for (const u of updates) {
        yield { tableId: u.table.id, key: Buffer.from(entry.bytes.subarray(u.keyStart, u.keyEnd)), newest };
      }
    }
  }
}

interface ClassifiedSegment {
  version: SegmentVersion;
  bytes: Uint8Array;
  entries: Generator<Classified, void, undefined>;
}

async function* classified(input: FilterInput): AsyncGenerator<ClassifiedSegment, void, undefined> {
  const classifier = new Classifier(input);
  checkOrder(input.segments);
  const live = await firstLive(input.segments);
  for (const [i, source] of input.segments.entries()) {
    if (input.signal?.aborted === true) throw new SkepError('cancelled', 'reading the commit log was cancelled');
    const { name } = source;
    const bytes = await source.read();
    // Whether the header agrees with the name is checked before the first entry.
    const version = parseSegmentName(name)?.version as SegmentVersion;
    yield { version, bytes, entries: classifier.segment(name, bytes, source.tail ?? (i >= live ? 'live' : 'closed')) };
  }
}

function checkOrder(segments: readonly SegmentSource[]): void {
  let previous: bigint | undefined;
  for (const { name } of segments) {
    const id = parseSegmentName(name)?.id;
    if (id === undefined) throw damaged('not the name of a commit log segment', name);
    if (previous !== undefined && id <= previous) throw damaged('segments are out of order', name);
    previous = id;
  }
}

/** Cassandra prepares a segment ahead of use, so the one that was written to last may be followed by an unused one. */
async function firstLive(segments: readonly SegmentSource[]): Promise<number> {
  let i = segments.length - 1;
  while (i > 0 && isUnused(segments[i]!.name, await segments[i]!.read())) i--;
  return i;
}

function entryOf({ entry, verdict, updates }: Classified): Uint8Array {
  if (verdict === 'kept') return entry.bytes.subarray(entry.start, entry.end);
  // A vint below 128 is its own byte, and no mutation has more tables than that by far.
  if (updates.length > 127) throw new SkepError('segment-unsupported', `a mutation of ${updates.length} tables`);
  return makeEntry([Uint8Array.of(updates.length), ...updates.map((u) => entry.bytes.subarray(u.start, u.end))]);
}

function count(stats: FilterStats, { verdict, newest }: Classified): void {
  stats.entries++;
  stats[verdict]++;
  if (newest === undefined) return;
  if (stats.newest === undefined || newest > stats.newest) stats.newest = newest;
  if (verdict !== 'kept' && verdict !== 'partly') return;
  if (stats.newestKept === undefined || newest > stats.newestKept) stats.newestKept = newest;
}

function countUnsynced(stats: FilterStats, { verdict }: Classified): void {
  stats.unsynced.entries++;
  if (verdict === 'kept' || verdict === 'partly') stats.unsynced.atOrBeforeT++;
}

function noStats(): FilterStats {
  return {
    segments: 0,
    bytes: 0,
    entries: 0,
    kept: 0,
    partly: 0,
    after: 0,
    truncated: 0,
    unwanted: 0,
    foreign: 0,
    dropped: 0,
    keptBytes: 0,
    newest: undefined,
    newestKept: undefined,
    tables: [],
    unsynced: { entries: 0, atOrBeforeT: 0 },
  };
}
