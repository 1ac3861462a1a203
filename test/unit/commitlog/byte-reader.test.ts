import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ByteReader, Undecodable } from '../../../src/commitlog/byte-reader.ts';
import { vint } from './handmade.ts';

describe('an unsigned vint', () => {
  test.each([
    ['00', 0n],
    ['7f', 127n],
    ['8080', 128n],
    ['c04000', 16384n],
    ['fe3fffffffffffff', (2n ** 62n - 1n) >> 8n],
    ['ff8000000000000000', 2n ** 63n],
    ['ffffffffffffffffff', 2n ** 64n - 1n],
  ])('%s is read', (hex, value) => {
    const bytes = Buffer.from(hex, 'hex');
    const reader = new ByteReader(bytes, 0, bytes.length);
    const found = reader.vint();
    expect(found < 0 ? reader.big : BigInt(found)).toBe(value);
    expect(reader.pos).toBe(bytes.length);
  });

  test('of any 64 bits is read as it was written, and passed over alike', () => {
    fc.assert(
      fc.property(fc.bigInt(0n, 2n ** 64n - 1n), fc.nat(63), (value, shift) => {
        const small = value >> BigInt(shift);
        const bytes = vint(small);
        const reader = new ByteReader(bytes, 0, bytes.length);
        const found = reader.vint();
        expect(found < 0 ? reader.big : BigInt(found)).toBe(small);
        const skipper = new ByteReader(bytes, 0, bytes.length);
        skipper.skipVint();
        expect(skipper.pos).toBe(reader.pos);
        const cut = new ByteReader(bytes, 0, bytes.length - 1);
        expect(() => cut.vint()).toThrow(Undecodable);
      }),
    );
  });
});
