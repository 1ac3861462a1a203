import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { describe, expect, test } from 'vitest';
import {
  type FilterRules,
  keepReplay,
  type PinnedBytes,
  readPinned,
  writeReplay,
} from '../../../src/cut/segment-evidence.ts';
import { parseSegmentName } from '../../../src/commitlog/index.ts';
import { rowsOf, segmentsOf, VERSIONS } from '../commitlog/fixtures.ts';
import { temporaryFolder } from '../support/folder.ts';

const signal = new AbortController().signal;

const pinned = (segments: { name: string; bytes: Buffer }[]): PinnedBytes[] =>
  segments.map((s) => ({
    name: s.name,
    bytes: s.bytes.length,
    open: async () => Readable.from([s.bytes.subarray(0, 9), s.bytes.subarray(9)]),
  }));

/** The schema without its counter table, whose mutations are then of no table that is wanted. */
function rulesOf(version: (typeof VERSIONS)[number], T: bigint): FilterRules {
  const rows = rowsOf(version) as unknown as Record<string, Record<string, unknown>[]>;
  const schema = Object.fromEntries(
    Object.entries(rows).map(([of, list]) => [of, list.filter((r) => r.table_name !== 'counts')]),
  );
  return { T: String(T), schema, truncated: [], foreign: [] };
}

const FUTURE = (1n << 63n) - 1n;
const idOf = (name: string) => parseSegmentName(name)?.id as bigint;

describe.each(VERSIONS)('segments of a real Cassandra %s', (version) => {
  const segments = pinned(segmentsOf(version, 'none'));

  test('are read without a T in their way, and all of them is after a T that is early', async () => {
    const all = await readPinned(segments, rulesOf(version, FUTURE), signal);
    expect(all).toMatchObject({ afterT: 0, truncated: 0 });
    expect(all.kept).toBeGreaterThan(10);
    expect(BigInt(all.newest as string)).toBeGreaterThan(1_790_000_000_000_000n);
    const none = await readPinned(segments, rulesOf(version, 1n), signal);
    // Two of them were written with a timestamp of their own, before all time.
    expect(none).toMatchObject({ read: all.read, kept: 2, afterT: all.kept - 2 });
  });

  test('are split by T, and what is written for a replay is what was said to be kept', async () => {
    const all = await readPinned(segments, rulesOf(version, FUTURE), signal);
    const T = BigInt(all.newest as string) - 1n;
    const said = await readPinned(segments, rulesOf(version, T), signal);
    expect(said.afterT).toBeGreaterThan(0);
    expect(said.kept).toBe(all.kept - said.afterT);
    const folder = await temporaryFolder();
    const { evidence, written } = await writeReplay(segments, { ...rulesOf(version, T), above: '0', folder }, signal);
    expect(evidence).toEqual(said);
    expect((await readdir(folder)).sort()).toEqual([...written].sort());
    const again = pinned(
      await Promise.all(written.map(async (name) => ({ name, bytes: await readFile(join(folder, name)) }))),
    );
    expect(await readPinned(again, rulesOf(version, T), signal)).toMatchObject({
      read: said.kept,
      kept: said.kept,
      afterT: 0,
    });
  });

  test('are written under ids above the clock, the backup’s own and all that were ever in the folder', async () => {
    const write = async (o: { above?: bigint; there?: bigint; aside?: bigint }) => {
      const root = await temporaryFolder();
      const [folder, aside] = [join(root, 'commitlog'), join(root, 'aside')];
      for (const f of [folder, aside]) await mkdir(f);
      if (o.there) await writeFile(join(folder, `CommitLog-7-${o.there}.log`), '');
      if (o.aside) await writeFile(join(aside, `CommitLog-7-${o.aside}.log`), '');
      const rules = { ...rulesOf(version, FUTURE), above: String(o.above ?? 0n), folder, aside };
      const { written } = await writeReplay(segments, rules, signal);
      expect(await readdir(folder)).toEqual(written);
      return idOf(written[0] as string);
    };
    const now = BigInt(Date.now());
    const far = now + 1_000_000_000n;
    expect(await write({})).toBeGreaterThan(now);
    expect(await write({ above: far })).toBe(far + 1n);
    expect(await write({ there: far })).toBe(far + 1n);
    expect(await write({ aside: far })).toBe(far + 1n);
  });

  test('are kept for a replay by hand as a restore would write them, under ids above their own and the clock', async () => {
    const all = await readPinned(segments, rulesOf(version, FUTURE), signal);
    const rules = rulesOf(version, BigInt(all.newest as string) - 1n);
    const kept: { name: string; bytes: Buffer }[] = [];
    const now = BigInt(Date.now());
    const evidence = await keepReplay(segments, rules, async (s) => void kept.push(s), signal);
    expect(evidence).toEqual(await readPinned(segments, rules, signal));
    expect(await readPinned(pinned(kept), rules, signal)).toMatchObject({
      read: evidence.kept,
      kept: evidence.kept,
      afterT: 0,
      unsynced: 0,
    });
    expect(idOf(kept[0]?.name as string)).toBeGreaterThan(now);
    const far = now + 1_000_000_000n;
    const empty = pinned([{ name: `CommitLog-7-${far}.log`, bytes: Buffer.alloc(0) }]);
    const late: string[] = [];
    await keepReplay([...segments, ...empty], rules, async (s) => void late.push(s.name), signal);
    expect(idOf(late[0] as string)).toBe(far + 1n);
  });

  test('written before a table’s truncation are not kept', async () => {
    const rules = rulesOf(version, FUTURE);
    const tables = (rows: unknown) => (rows as { tables: { id: string }[] }).tables.map((t) => t.id);
    const last = idOf(segments.at(-1)?.name as string);
    const truncated = tables(rules.schema).map((table) => ({ table, segment: String(last), position: 1 << 30 }));
    expect(await readPinned(segments, { ...rules, truncated }, signal)).toMatchObject({ kept: 0 });
  });

  test('that are damaged, or are read no further, end in a typed error', async () => {
    const [first] = segmentsOf(version, 'none') as [{ name: string; bytes: Buffer }];
    const bytes = Buffer.from(first.bytes);
    bytes[6]! ^= 1;
    const later = { name: first.name.replace(/\d+\.log/, `${idOf(first.name) + 9n}.log`), bytes: first.bytes };
    await expect(
      readPinned(pinned([{ ...first, bytes }, later, later]), rulesOf(version, FUTURE), signal),
    ).rejects.toMatchObject({ code: 'segment-damaged' });
    await expect(readPinned(segments, rulesOf(version, FUTURE), AbortSignal.abort())).rejects.toMatchObject({
      code: 'cancelled',
    });
  });
});
