import { describe, expect, test } from 'vitest';
import {
  ALL_PARTS,
  decodeMutation,
  readSegment,
  TableIndex,
  type TimestampParts,
} from '../../../src/commitlog/index.ts';
import { linesOf, schemaOf, segmentsOf, VERSIONS, WAYS, type Version, type Way } from './fixtures.ts';

/** The oracle's words for what skep reads. */
function read(version: Version, way: Way, parts: TimestampParts = ALL_PARTS): string[] {
  const index = new TableIndex(schemaOf(version));
  const lines: string[] = [];
  for (const { name, bytes } of segmentsOf(version, way)) {
    for (const e of readSegment(name, bytes, 'closed')) {
      expect(e.synced).toBe(true);
      const m = decodeMutation(e.bytes, e.start + 8, e.end - 4, (b, at) => index.find(b, at), parts);
      const updates = m.updates.map((u) => `${u.table.id}:${e.bytes.toString('hex', u.keyStart, u.keyEnd)}`);
      lines.push(`${name} ${e.position} ${e.end - e.start - 12} ${updates.join(',')} ${m.newest ?? 'none'}`);
    }
  }
  return lines;
}

describe('segments that Cassandra wrote', () => {
  test.each(VERSIONS.flatMap((v) => WAYS.map((w) => [v, w] as const)))(
    'with %s, %s, say the same to skep and to Cassandra',
    (version, way) => {
      const lines = read(version, way);
      expect(lines).toEqual(linesOf(version, way));
      expect(lines.length).toBeGreaterThan(70);
    },
  );

  test.each(Object.keys(ALL_PARTS) as (keyof TimestampParts)[])('need the %s for some newest timestamp', (part) => {
    const without = read('4.1.10', 'none', { ...ALL_PARTS, [part]: false });
    const all = linesOf('4.1.10', 'none');
    expect(without.length).toBe(all.length);
    expect(without).not.toEqual(all);
  });

  test('hold timestamps from long before 2015 to the end of time', () => {
    const newest = linesOf('4.1.10', 'none').map((l) => BigInt(l.split(' ').at(-1)!));
    expect(newest).toContain(-77n);
    expect(newest).toContain(9_223_372_036_854_775_800n);
    expect(newest).toContain(9_000_000_000_000_000_000n);
  });
});
