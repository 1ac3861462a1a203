import { describe, expect, test } from 'vitest';
import { readHeader, readSegment, rewriteId } from '../../../src/commitlog/index.ts';
import { codeOf } from './code-of.ts';
import { segmentOf, VERSIONS, WAYS } from './fixtures.ts';
import { entry, segment, update } from './handmade.ts';

describe('a segment under another id', () => {
  test.each(VERSIONS.flatMap((v) => WAYS.map((w) => [v, w] as const)))('has the same entries: %s, %s', (v, way) => {
    const { name, bytes } = segmentOf(v, way);
    const moved = rewriteId(name, bytes, 1_900_000_000_123n);
    expect(readHeader(moved.bytes, moved.name)).toEqual({ ...readHeader(bytes, name), id: 1_900_000_000_123n });
    const entries = (n: string, b: Buffer) =>
      [...readSegment(n, b, 'closed')].map((e) => `${e.position} ${e.bytes.toString('hex', e.start, e.end)}`);
    expect(entries(moved.name, moved.bytes)).toEqual(entries(name, bytes));
  });

  test('is refused where the chain of markers is broken', () => {
    const s = segment(1n, [[entry(update(1, 'a', 1n))], [entry(update(1, 'b', 1n))]]);
    s.bytes[24]! ^= 1;
    expect(codeOf(() => rewriteId(s.name, s.bytes, 9n))).toBe('segment-damaged');
  });
});
