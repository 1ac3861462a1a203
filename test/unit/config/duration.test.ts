import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseDuration } from '../../../src/config/duration.ts';

describe('a duration', () => {
  test('has a number and a unit', () => {
    expect(['500ms', '100s', '2h', '1.5m', ' 1d '].map(parseDuration)).toEqual([
      500, 100_000, 7_200_000, 90_000, 86_400_000,
    ]);
  });

  test('is nothing else', () => {
    for (const text of ['', '5', 's', '-1s', '1 s', '1w', '1s2m', 'Infinitys', '1e3s', '.5s']) {
      expect(parseDuration(text)).toBeUndefined();
    }
    fc.assert(
      fc.property(fc.string(), (text) => {
        const ms = parseDuration(text);
        expect(ms === undefined || (Number.isInteger(ms) && ms >= 0)).toBe(true);
      }),
    );
  });
});
