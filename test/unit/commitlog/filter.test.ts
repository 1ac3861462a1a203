import { describe, expect, test } from 'vitest';
import {
  ALL_PARTS,
  changedPartitions,
  filterSegments,
  inspectSegments,
  readSegment,
  type FilterInput,
  type NewSegment,
} from '../../../src/commitlog/index.ts';
import { SkepError } from '../../../src/errors.ts';
import type { Segment } from './fixtures.ts';
import { entry, idOf, schemaOf, segment, table, update } from './handmade.ts';

const T = 1_700_000_000_000_001n;
const schema = schemaOf(table(1), table(2), table(3));
const rules = { schema, foreign: new Set([idOf(8)]), dropped: new Set([idOf(9)]), T };

function sources(...segments: Segment[]): FilterInput['segments'] {
  return segments.map(({ name, bytes }) => ({ name, read: () => bytes }));
}

/** The entries of what was written, as hex, and the segments. */
async function filter(input: FilterInput, segmentSize = 1 << 20) {
  const written: NewSegment[] = [];
  let id = 5000n;
  // The bytes are ours only until `write` is done.
  const write = (s: NewSegment): void => void written.push({ ...s, bytes: Buffer.from(s.bytes) });
  const stats = await filterSegments(input, { nextId: () => ++id, segmentSize, write });
  const entries = written.flatMap(({ name, bytes }) =>
    [...readSegment(name, bytes, 'closed')].map((e) => e.bytes.toString('hex', e.start, e.end)),
  );
  return { stats, written, entries };
}

async function codeOf(promise: Promise<unknown>): Promise<string | undefined> {
  try {
    await promise;
  } catch (e) {
    if (e instanceof SkepError) return e.code;
    throw e;
  }
  return undefined;
}

const hex = (b: Buffer): string => b.toString('hex');

describe('the filter', () => {
  test('keeps what is at T and leaves out what is after it', async () => {
    const at = entry(update(1, 'a', T));
    const after = entry(update(1, 'b', T + 1n));
    const before = entry(update(2, 'c', T - 5n));
    const { entries, stats } = await filter({ ...rules, segments: sources(segment(1n, [[at, after], [before]])) });
    expect(entries).toEqual([hex(at), hex(before)]);
    expect(stats).toMatchObject({ segments: 1, entries: 3, kept: 2, after: 1, newest: T + 1n, newestKept: T });
    expect(stats.tables).toEqual([idOf(1), idOf(2)]);
    expect(stats.keptBytes).toBe(at.length + before.length);
  });

  test('leaves out a mutation of several tables whole when one of them is after T', async () => {
    const torn = entry(update(1, 'a', T - 1n), update(2, 'a', T + 1n));
    const { entries, stats } = await filter({ ...rules, segments: sources(segment(1n, [[torn]])) });
    expect(entries).toEqual([]);
    expect(stats.after).toBe(1);
  });

  test('leaves out a row deletion after T, which Cassandra itself would replay', async () => {
    const deletion = entry(update(1, 'a', T + 1n, { deletion: true }));
    const input = { ...rules, segments: sources(segment(1n, [[deletion]])) };
    expect((await filter(input)).entries).toEqual([]);
    const leaky = await filter({ ...input, parts: { ...ALL_PARTS, rowDeletions: false } });
    expect(leaky.entries).toEqual([hex(deletion)]);
  });

  test('honours a truncation up to its position, and only for its table', async () => {
    const a = entry(update(1, 'a', T));
    const b = entry(update(1, 'b', T));
    const other = entry(update(2, 'c', T));
    const s = segment(7n, [[a, other, b]]);
    const positions = [...readSegment(s.name, s.bytes, 'closed')].map((e) => e.position);
    const cut = async (segmentId: bigint, position: number) =>
      await filter({
        ...rules,
        segments: sources(s),
        truncatedAt: new Map([[idOf(1), { segmentId, position, atMs: 0 }]]),
      });
    expect((await cut(7n, positions[0]! - 1)).entries).toEqual([a, other, b].map(hex));
    expect((await cut(7n, positions[0]!)).entries).toEqual([other, b].map(hex));
    expect((await cut(7n, positions[2]!)).entries).toEqual([hex(other)]);
    expect((await cut(8n, 0)).entries).toEqual([hex(other)]);
    expect((await cut(6n, 9999)).entries).toEqual([a, other, b].map(hex));
    expect((await cut(-1n, 0)).stats.truncated).toBe(0);
  });

  test('keeps the rest of a mutation when one of its tables was truncated or is not wanted', async () => {
    const three = entry(update(1, 'a', T), update(2, 'a', T), update(3, 'a', T));
    const input = { ...rules, segments: sources(segment(7n, [[three]])) };
    const truncatedAt = new Map([[idOf(1), { segmentId: 9n, position: 0, atMs: 0 }]]);
    const truncated = await filter({ ...input, truncatedAt });
    expect(truncated.entries).toEqual([hex(entry(update(2, 'a', T), update(3, 'a', T)))]);
    expect(truncated.stats).toMatchObject({ partly: 1, kept: 0, tables: [idOf(2), idOf(3)] });
    const wanted = await filter({ ...input, wanted: new Set([idOf(3)]) });
    expect(wanted.entries).toEqual([hex(entry(update(3, 'a', T)))]);
    const none = await filter({ ...input, wanted: new Set<string>() });
    expect(none.stats).toMatchObject({ unwanted: 1, partly: 0 });
  });

  test('passes over mutations of other keyspaces without decoding them', async () => {
    const foreign = entry(
      Buffer.concat([Buffer.from(idOf(8).replaceAll('-', ''), 'hex'), Buffer.from('not an update')]),
    );
    const { stats } = await filter({ ...rules, segments: sources(segment(1n, [[foreign]])) });
    expect(stats).toMatchObject({ foreign: 1, kept: 0, newest: undefined });
  });

  test('passes over a dropped table, but not where it would hide another one', async () => {
    const alone = entry(update(9, 'a', T));
    expect((await filter({ ...rules, segments: sources(segment(1n, [[alone]])) })).stats.dropped).toBe(1);
    for (const beside of [entry(update(9, 'a', T), update(1, 'a', T)), entry(update(1, 'a', T), update(9, 'a', T))]) {
      expect(await codeOf(filter({ ...rules, segments: sources(segment(1n, [[beside]])) }))).toBe(
        'segment-schema-mismatch',
      );
    }
  });

  test('passes over a table that is not known where it is told to, but not where it would hide another one', async () => {
    const input = { ...rules, unknown: 'skip' as const };
    const alone = sources(segment(1n, [[entry(update(5, 'a', T)), entry(update(1, 'a', T))]]));
    expect((await filter({ ...input, segments: alone })).stats).toMatchObject({ dropped: 1, kept: 1 });
    for (const beside of [entry(update(5, 'a', T), update(1, 'a', T)), entry(update(1, 'a', T), update(5, 'a', T))]) {
      const segments = sources(segment(1n, [[beside]]));
      expect(await codeOf(filter({ ...input, segments }))).toBe('segment-schema-mismatch');
    }
  });

  test.each([
    ['a table that is not known', [update(5, 'a', T)]],
    ['a table that is not known beside one that is', [update(1, 'a', T), update(5, 'a', T)]],
    ['bytes left over', [Buffer.concat([update(1, 'a', T), Buffer.alloc(3)])]],
  ])('refuses %s', async (_, updates) => {
    const input = { ...rules, segments: sources(segment(1n, [[entry(...updates)]])) };
    expect(await codeOf(filter(input))).toBe('segment-schema-mismatch');
  });

  test('refuses a column that is not in the schema', async () => {
    const narrow = schemaOf(table(1, { columns: new Map() }));
    const input = { ...rules, schema: narrow, segments: sources(segment(1n, [[entry(update(1, 'a', T))]])) };
    expect(await codeOf(filter(input))).toBe('segment-schema-mismatch');
  });

  test('refuses wanted tables with counters, not those that are not wanted', async () => {
    const counting = schemaOf(table(1), table(2, { counter: true }));
    const segments = sources(segment(1n, [[entry(update(1, 'a', T))]]));
    expect(await codeOf(filter({ ...rules, schema: counting, segments }))).toBe('segment-unsupported');
    expect((await filter({ ...rules, schema: counting, wanted: new Set([idOf(1)]), segments })).stats.kept).toBe(1);
  });

  test('refuses segments out of order, repeated, or with another name', async () => {
    const [a, b] = [segment(1n, []), segment(2n, [])];
    for (const segments of [[b, a], [a, a], [{ ...a, name: 'x.log' }]]) {
      expect(await codeOf(filter({ ...rules, segments: sources(...segments) }))).toBe('segment-damaged');
    }
  });

  test('can be cancelled', async () => {
    const input = { ...rules, segments: sources(segment(1n, [])), signal: AbortSignal.abort() };
    expect(await codeOf(filter(input))).toBe('cancelled');
  });

  test('of no segments writes none', async () => {
    const { written, stats } = await filter({ ...rules, segments: [] });
    expect(written).toEqual([]);
    expect(stats.entries).toBe(0);
  });
});

describe('the tail', () => {
  const synced = entry(update(1, 'a', T));
  const early = entry(update(1, 'b', T));
  const late = entry(update(1, 'c', T + 9n));

  test('of the last segment is counted by T and never written', async () => {
    const s = segment(2n, [[synced]], { unsynced: [early, late, late] });
    const { stats, entries } = await filter({ ...rules, segments: sources(segment(1n, [[synced]]), s) });
    expect(stats.unsynced).toEqual({ entries: 3, atOrBeforeT: 1 });
    expect(entries).toEqual([hex(synced), hex(synced)]);
    expect(stats.entries).toBe(2);
  });

  test('of the segment before an unused one is that of the last', async () => {
    const s = segment(2n, [[synced]], { unsynced: [late] });
    const blank = { name: 'CommitLog-7-4.log', bytes: Buffer.alloc(100) };
    const { stats } = await filter({ ...rules, segments: sources(s, segment(3n, []), blank) });
    expect(stats.unsynced).toEqual({ entries: 1, atOrBeforeT: 0 });
  });

  test('of an earlier segment is damage, unless it is said to be live', async () => {
    const s = segment(2n, [[synced]], { unsynced: [late] });
    const last = segment(3n, [[synced]]);
    expect(await codeOf(filter({ ...rules, segments: sources(s, last) }))).toBe('segment-damaged');
    const segments = sources(s, last).map((x) => ({ ...x, tail: 'live' as const }));
    expect((await filter({ ...rules, segments })).stats.unsynced.entries).toBe(1);
  });
});

describe('the changed partitions', () => {
  test('are those of wanted tables in mutations after T, the unsynced ones too', async () => {
    const both = entry(update(1, 'two', T - 1n), update(2, 'two', T + 1n));
    const s = segment(1n, [[entry(update(1, 'kept', T)), entry(update(1, 'one', T + 1n)), both]], {
      unsynced: [entry(update(3, 'tail', T + 7n))],
    });
    const found: string[] = [];
    for await (const c of changedPartitions({ ...rules, wanted: new Set([idOf(1), idOf(3)]), segments: sources(s) })) {
      found.push(`${c.tableId.slice(-1)} ${c.key.toString()} ${c.newest - T}`);
    }
    expect(found).toEqual(['1 one 1', '1 two 1', '3 tail 7']);
  });
});

describe('what is written', () => {
  test('fills segments of the given size, under rising ids, and formats never mix', async () => {
    const many = Array.from({ length: 50 }, (_, i) => entry(update(1, `k${i}`, T)));
    const size = many[0]!.length * 8;
    const segments = sources(segment(1n, [many.slice(0, 20)]), segment(2n, [many.slice(20)], { version: 8 }));
    const { written, entries } = await filter({ ...rules, segments }, size);
    expect(entries).toEqual(many.map(hex));
    expect(written.length).toBeGreaterThan(6);
    expect(written.every((s) => s.bytes.length <= size)).toBe(true);
    expect(written.map((s) => s.id)).toEqual(written.map((_, i) => 5001n + BigInt(i)));
    expect(new Set(written.map((s) => s.name.slice(0, 12)))).toEqual(new Set(['CommitLog-7-', 'CommitLog-8-']));
  });

  test('has an entry that is larger than a segment in one of its own', async () => {
    const all = ['a', 'b', 'c'].map((k) => entry(update(1, k, T, { value: 'x'.repeat(k === 'b' ? 5_000 : 5) })));
    const segments = sources(segment(1n, [all]));
    const { written, stats } = await filter({ ...rules, segments }, 300);
    expect(written).toHaveLength(3);
    expect(stats.kept).toBe(3);
    const again = await inspectSegments({ ...rules, segments: sources(...written) });
    expect(again.kept).toBe(3);
  });

  test('is nothing when it is only inspected, and the statistics are the same', async () => {
    const segments = sources(segment(1n, [[entry(update(1, 'a', T)), entry(update(1, 'b', T + 1n))]]));
    expect(await inspectSegments({ ...rules, segments })).toEqual((await filter({ ...rules, segments })).stats);
  });
});
