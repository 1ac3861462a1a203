import { describe, expect, test } from 'vitest';
import { checkContiguous, parseTruncation } from '../../../src/commitlog/index.ts';
import { codeOf } from './code-of.ts';

describe('segment ids', () => {
  test('that count up by one are contiguous, in any order', () => {
    expect(checkContiguous([])).toEqual([]);
    expect(checkContiguous([5n])).toEqual([]);
    expect(checkContiguous([7n, 5n, 6n])).toEqual([]);
  });

  test('that jump or repeat are named', () => {
    expect(checkContiguous([9n, 5n, 6n, 6n])).toEqual([
      { after: 6n, before: 6n },
      { after: 6n, before: 9n },
    ]);
  });
});

describe('a truncation record', () => {
  test('of a real node is read', () => {
    const blob = Buffer.from('000001a2060567e8000176e6000001a206059430', 'hex');
    expect(parseTruncation(blob)).toEqual({ segmentId: 1_795_397_347_304n, position: 95_974, atMs: 1_795_397_358_640 });
  });

  test('without a time, or of a table without a position, is read', () => {
    expect(parseTruncation(Buffer.from('ffffffffffffffff00000000', 'hex'))).toEqual({
      segmentId: -1n,
      position: 0,
      atMs: undefined,
    });
  });

  test('of another length is refused', () => {
    expect(codeOf(() => parseTruncation(Buffer.alloc(16)))).toBe('segment-damaged');
  });
});
