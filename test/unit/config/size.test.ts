import { expect, test } from 'vitest';
import { size } from '../../../src/config/size.ts';

test.each([
  ['64MB', 64e6],
  ['0B', 0],
  ['0', 0],
  [0, 0],
])('%j is a size', (text, bytes) => {
  expect(size.parse(text)).toBe(bytes);
});

test.each(['64', 64, 'none', ''])('%j is none, and the message tells how one is written', (text) => {
  expect(() => size.parse(text)).toThrow(/write 64MB, 1GB, 0/);
});
