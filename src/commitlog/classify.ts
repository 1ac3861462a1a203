import { SkepError } from '../errors.ts';
import { Undecodable } from './byte-reader.ts';
import { readHeader, type SegmentHeader } from './header.ts';
import { decodeMutation, peekMutation, type Mutation, type PartitionUpdate } from './mutation.ts';
import type { TableSchema } from './schema.ts';
import { readSegment, type SegmentEntry, type Tail } from './segment.ts';
import { TableIndex } from './table-index.ts';
import { ALL_PARTS, type TimestampParts } from './timestamps.ts';
import { isTruncated, type Truncation } from './truncation.ts';

/** What decides about a mutation. */
export interface CutRules {
  /** Every table of the wanted keyspaces, also those that are not wanted: their rows lie between the others'. */
  schema: ReadonlyMap<string, TableSchema>;
  /** Ids of the tables that are kept; default: all of `schema`. */
  wanted?: ReadonlySet<string>;
  /** Ids of all tables of other keyspaces: all of a mutation is in one keyspace, so it is passed over undecoded. */
  foreign: ReadonlySet<string>;
  /** Ids of tables of the wanted keyspaces that were dropped, and whose schema is not known. */
  dropped?: ReadonlySet<string>;
  /**
   * What to do about a table that is in none of these. `refuse` (default), or `skip`: right only where the schema is
   * known not to have changed from the first segment's pin to `T`, for then the table was dropped before, or made after.
   */
  unknown?: 'refuse' | 'skip';
  /** The cut: a mutation with any timestamp after it is left out whole. Microseconds. */
  T: bigint;
  /** Truncations by table id, of the node that wrote the log. */
  truncatedAt?: ReadonlyMap<string, Truncation>;
  /** For tests: see `TimestampParts`. */
  parts?: Readonly<TimestampParts>;
}

/**
 * `kept`: all of it. `partly`: `updates` are what remains of it. `after`: a timestamp is after `T`. `truncated`: every
 * wanted update was wiped by a truncation. `unwanted`: of tables that are not wanted. `foreign`, `dropped` (or unknown and skipped): not decoded.
 */
export type Verdict = 'kept' | 'partly' | 'after' | 'truncated' | 'unwanted' | 'foreign' | 'dropped';

export interface Classified {
  entry: SegmentEntry;
  verdict: Verdict;
  /** The wanted updates that are kept (`kept`, `partly`) or would be but for `T` (`after`). */
  updates: PartitionUpdate[];
  newest: bigint | undefined;
}

type Known = { kind: 'table'; schema: TableSchema } | { kind: 'foreign' | 'dropped' | 'unknown' };

/** Applies the rules to every entry of a segment. */
export class Classifier {
  readonly #rules: CutRules;
  readonly #index: TableIndex<Known>;
  readonly #unknown: Known;
  readonly #lookup: (bytes: Buffer, at: number) => TableSchema | undefined;

  /** Error: `segment-unsupported` where a wanted table has counters. */
  constructor(rules: CutRules) {
    this.#rules = rules;
    this.#index = new TableIndex(knownTables(rules));
    this.#unknown = { kind: rules.unknown === 'skip' ? 'dropped' : 'unknown' };
    this.#lookup = (bytes, at) => {
      const known = this.#index.find(bytes, at);
      return known?.kind === 'table' ? known.schema : undefined;
    };
  }

  /** Errors: as `readSegment`; `segment-schema-mismatch` where an entry does not fit the schema. */
  *segment(name: string, bytes: Uint8Array, tail: Tail): Generator<Classified, void, undefined> {
    let header: SegmentHeader | undefined;
    for (const entry of readSegment(name, bytes, tail)) {
      header ??= readHeader(bytes, name);
      try {
        yield this.#classify(entry, header.id);
      } catch (e) {
        if (e instanceof Undecodable) throw mismatch(name, entry, e);
        throw e;
      }
    }
  }

  #classify(entry: SegmentEntry, id: bigint): Classified {
    const { bytes } = entry;
    const start = entry.start + 8;
    const end = entry.end - 4;
    const { count, firstTableAt } = peekMutation(bytes, start, end);
    const first = this.#index.find(bytes, firstTableAt) ?? this.#unknown;
    if (first.kind === 'foreign') return { entry, verdict: 'foreign', updates: [], newest: undefined };
    // Beside another update, one that cannot be decoded would hide where the other begins: then it is an error below.
    if (first.kind === 'dropped' && count === 1) return { entry, verdict: 'dropped', updates: [], newest: undefined };
    const mutation = decodeMutation(bytes, start, end, this.#lookup, this.#rules.parts ?? ALL_PARTS);
    return { entry, newest: mutation.newest, ...this.#judge(mutation, entry, id) };
  }

  #judge(mutation: Mutation, entry: SegmentEntry, id: bigint): { verdict: Verdict; updates: PartitionUpdate[] } {
    const { wanted, truncatedAt, T } = this.#rules;
    const ours = wanted === undefined ? mutation.updates : mutation.updates.filter((u) => wanted.has(u.table.id));
    if (ours.length === 0) return { verdict: 'unwanted', updates: [] };
    const kept =
      truncatedAt === undefined || truncatedAt.size === 0
        ? ours
        : ours.filter((u) => !wiped(truncatedAt.get(u.table.id), id, entry.position));
    if (mutation.newest !== undefined && mutation.newest > T) return { verdict: 'after', updates: kept };
    if (kept.length === 0) return { verdict: 'truncated', updates: [] };
    return { verdict: kept.length === mutation.updates.length ? 'kept' : 'partly', updates: kept };
  }
}

function wiped(truncation: Truncation | undefined, id: bigint, position: number): boolean {
  return truncation !== undefined && isTruncated(truncation, id, position);
}

function* knownTables(rules: CutRules): Generator<[string, Known]> {
  for (const [id, schema] of rules.schema) {
    const wanted = rules.wanted?.has(id) ?? true;
    if (wanted && schema.counter) {
      throw new SkepError('segment-unsupported', `${schema.keyspace}.${schema.table} has counters`, {
        hint: 'Counters cannot be cut at one instant: move the table into a keyspace of its own, then run `skep check`.',
        context: { keyspace: schema.keyspace, table: schema.table },
      });
    }
    yield [id, { kind: 'table', schema }];
  }
  for (const id of rules.foreign) if (!rules.schema.has(id)) yield [id, { kind: 'foreign' }];
  for (const id of rules.dropped ?? []) {
    if (!rules.schema.has(id) && !rules.foreign.has(id)) yield [id, { kind: 'dropped' }];
  }
}

function mismatch(segment: string, entry: SegmentEntry, cause: Undecodable): SkepError {
  return new SkepError('segment-schema-mismatch', `${cause.message} (${segment} before ${entry.position})`, {
    context: { segment, position: entry.position },
    cause,
  });
}
