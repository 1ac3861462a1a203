import { expect, test } from 'vitest';
import { contained } from '../../../src/run/contained.ts';

test('a path that a backup names lies below the folder, or is damage', () => {
  expect(contained('/to', 'n1', 'a/b')).toBe('/to/n1/a/b');
  expect(contained('/to/', 'n1')).toBe('/to/n1');
  expect(contained('/', 'n1')).toBe('/n1');
  for (const names of [['..'], ['../to2'], ['n1', '../../x'], ['.'], ['a', '..']]) {
    expect(() => contained('/to', ...names)).toThrow(expect.objectContaining({ code: 'object-damaged' }));
  }
});
