import { readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import {
  type CutRules,
  type FilterInput,
  filterSegments,
  type FilterStats,
  inspectSegments,
  parseSegmentName,
  parseTableSchemas,
  type TimestampParts,
} from '../commitlog/index.ts';
import type { SegmentEvidence, Truncation } from '../protocol/methods.ts';
import { namesIn } from './names-in.ts';
import { segmentsOf } from './segment-name.ts';

/** Largest segment that is written, in bytes, unless a single mutation is larger. */
const SEGMENT_SIZE = 32 * 1024 * 1024;
/** Likewise of those that a backup keeps: each is in memory once more while it is stored. */
const KEPT_SEGMENT_SIZE = 8 * 1024 * 1024;

/** A pinned segment under the name that Cassandra gave it. */
export interface PinnedBytes {
  name: string;
  /** Size. */
  bytes: number;
  open(): Promise<Readable>;
  /** Gets all that was read each time before it is looked at: the last time, what is looked at. */
  taken?(content: Buffer): Promise<void>;
}

/** What the filter needs to know beside the segments; as it crosses the wire and lies in a manifest. */
export interface FilterRules {
  /** Decimal µs. */
  T: string;
  /** Rows of `system_schema` of the keyspace. */
  schema?: unknown;
  /** The node's truncation records. */
  truncated: readonly Truncation[];
  /** Ids of the tables of all other keyspaces. */
  foreign: readonly string[];
}

/** Reads segments as a restore will, and tells what is in them. Errors: those of the commit log reader. */
export async function readPinned(
  segments: readonly PinnedBytes[],
  rules: FilterRules,
  signal: AbortSignal,
): Promise<SegmentEvidence> {
  return evidenceOf(await inspectSegments(filterInput(segments, rules, signal)));
}

/**
 * Writes segments that a plain start replays: only mutations at or before `T`, under ids above `above`, the clock, and
 * every segment in `folder` and `aside`, where the node's own have been set aside. Segments in `folder` are those of an
 * earlier try and removed: the last of them may be cut off, which would stop the start. `parts` is for tests that must
 * see the proof fail.
 */
export async function writeReplay(
  segments: readonly PinnedBytes[],
  rules: FilterRules & { above: string; folder: string; aside?: string | undefined; parts?: TimestampParts },
  signal: AbortSignal,
): Promise<{ evidence: SegmentEvidence; written: string[] }> {
  const there = segmentsOf(await readdir(rules.folder));
  const before = segmentsOf(rules.aside === undefined ? [] : await namesIn(rules.aside));
  const ids = [...there, ...before].map((s) => s.id);
  for (const s of there) await rm(join(rules.folder, s.name));
  const written: string[] = [];
  const evidence = await writeFiltered(segments, rules, { above: [BigInt(rules.above), ...ids], signal }, async (s) => {
    await writeFile(join(rules.folder, s.name), s.bytes, { flag: 'wx', mode: 0o640 });
    written.push(s.name);
  });
  return { evidence, written };
}

/**
 * The same for a backup that keeps them beside the pinned ones: who restores without skep has no filter. Their ids are
 * above those of all pinned segments and the clock, so no SSTable of the backup takes their positions for its own. `keep`
 * has the bytes for itself.
 */
export async function keepReplay(
  segments: readonly PinnedBytes[],
  rules: FilterRules,
  keep: (segment: { name: string; bytes: Buffer }) => Promise<void>,
  signal: AbortSignal,
): Promise<SegmentEvidence> {
  const above = segments.map((s) => parseSegmentName(s.name)?.id ?? 0n);
  return writeFiltered(segments, rules, { above, signal, segmentSize: KEPT_SEGMENT_SIZE }, (s) =>
    keep({ name: s.name, bytes: Buffer.from(s.bytes) }),
  );
}

async function writeFiltered(
  segments: readonly PinnedBytes[],
  rules: FilterRules & { parts?: TimestampParts },
  o: { above: readonly bigint[]; signal: AbortSignal; segmentSize?: number },
  write: (segment: { name: string; bytes: Buffer }) => Promise<void>,
): Promise<SegmentEvidence> {
  let id = [BigInt(Date.now()), ...o.above].reduce((a, b) => (a > b ? a : b));
  const output = { nextId: () => ++id, segmentSize: o.segmentSize ?? SEGMENT_SIZE, write };
  return evidenceOf(await filterSegments(filterInput(segments, rules, o.signal), output));
}

function filterInput(
  segments: readonly PinnedBytes[],
  rules: FilterRules & { parts?: TimestampParts },
  signal: AbortSignal,
): FilterInput {
  // One buffer for all: the filter looks at one segment at a time, and copies what it keeps of it.
  let scratch = Buffer.alloc(0);
  const read = async (s: PinnedBytes) => {
    if (scratch.length < s.bytes) scratch = Buffer.allocUnsafeSlow(s.bytes);
    let at = 0;
    for await (const chunk of await s.open()) at += (chunk as Buffer).copy(scratch, at);
    await s.taken?.(scratch.subarray(0, at));
    return scratch.subarray(0, at);
  };
  const sources = segments.map((s, i) => ({
    name: s.name,
    read: () => read(s),
    // Cassandra may write to the next segment, prepared ahead, while the one before is not yet synced to its end.
    tail: i >= segments.length - 2 ? ('live' as const) : ('closed' as const),
  }));
  return { ...cutRules(rules), segments: sources, signal };
}

function cutRules(rules: FilterRules & { parts?: TimestampParts }): CutRules {
  return {
    schema: parseTableSchemas(rules.schema),
    foreign: new Set(rules.foreign),
    // Tables that were dropped before the cut: during it, the evidence is that no table came or went.
    unknown: 'skip',
    T: BigInt(rules.T),
    truncatedAt: new Map(
      rules.truncated.map((t) => [t.table, { segmentId: BigInt(t.segment), position: t.position, atMs: undefined }]),
    ),
    ...(rules.parts ? { parts: rules.parts } : {}),
  };
}

function evidenceOf(s: FilterStats): SegmentEvidence {
  return {
    read: s.entries,
    kept: s.kept + s.partly,
    afterT: s.after,
    truncated: s.truncated,
    foreign: s.foreign,
    unsynced: s.unsynced.atOrBeforeT,
    ...(s.newest === undefined ? {} : { newest: String(s.newest) }),
  };
}
