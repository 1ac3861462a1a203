import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { PathTable } from '../../../../src/drivers/files/path-table.ts';

const hex = fc.string({ unit: fc.constantFrom(...Array.from('0123456789abcdef')), minLength: 63, maxLength: 65 });
/** Hashes, nearly hashes, and anything else. */
const path = fc.oneof(
  hex.map((h) => `attachment/${h}`),
  hex.map((h) => `attachment/${h.toUpperCase()}`),
  hex.map((h) => `Attachment/${h}`),
  hex.map((h) => `attachment/${h.slice(0, 62)}é`),
  fc.string(),
);

describe('a table of paths', () => {
  test('gives each path a number of its own, always the same, and the path back', () => {
    fc.assert(
      fc.property(fc.array(path, { maxLength: 200 }), (paths) => {
        const table = new PathTable();
        const ids = new Map(paths.map((p) => [p, table.idOf(p)]));
        for (const p of paths) expect(table.idOf(p)).toBe(ids.get(p));
        expect(new Set(ids.values()).size).toBe(ids.size);
        expect(new Set(table.ids())).toEqual(new Set(ids.values()));
        for (const [p, id] of ids) expect(table.pathOf(id)).toBe(p);
      }),
    );
  });

  test('keeps flags of many thousands apart', () => {
    const table = new PathTable();
    const pathOf = (n: number) => `attachment/${createHash('sha256').update(String(n)).digest('hex')}`;
    for (let n = 0; n < 20_000; n++) table.set(table.idOf(pathOf(n)), n % 4);
    table.set(table.idOf('other'), 2);
    for (let n = 0; n < 20_000; n += 3) table.clear(table.idOf(pathOf(n)), 1);
    for (let n = 0; n < 20_000; n++) {
      const id = table.idOf(pathOf(n));
      expect(table.has(id, 1)).toBe((n & 1) === 1 && n % 3 !== 0);
      expect(table.has(id, 2)).toBe((n & 2) === 2);
    }
    expect(table.has(table.idOf('other'), 2)).toBe(true);
    expect(table.has(table.idOf('other'), 3)).toBe(false);
  });
});
