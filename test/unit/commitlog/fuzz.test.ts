import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Classifier, readSegment, type Classified, type Tail } from '../../../src/commitlog/index.ts';
import { SkepError } from '../../../src/errors.ts';
import { schemaOf, segmentOf, WAYS, type Segment } from './fixtures.ts';

const RUNS = Number(process.env['SKEP_FUZZ_RUNS'] ?? 200);
const LIMIT_MS = Math.max(60_000, RUNS * 100);
const schema = schemaOf('5.0.6');
const wanted = new Set([...schema.values()].filter((t) => !t.counter).map((t) => t.id));
const classifier = new Classifier({ schema, wanted, foreign: new Set(), T: 2n ** 62n });

/** What was read, in words that tell any two entries apart; or the code of the error that ended it. */
function read({ name, bytes }: Segment, tail: Tail): { entries: string[]; code: string | undefined } {
  const entries: string[] = [];
  try {
    for (const c of classifier.segment(name, bytes, tail)) entries.push(inWords(c));
    return { entries, code: undefined };
  } catch (e) {
    if (e instanceof SkepError) return { entries, code: e.code };
    throw e;
  }
}

function inWords({ entry, verdict, newest }: Classified): string {
  return `${verdict} ${newest} ${entry.bytes.toString('hex', entry.start, entry.end)}`;
}

/** The last byte that is not zero: damage behind it is none, and zeroes up to the end may hide what was before. */
function contentEnd(bytes: Buffer): number {
  let end = bytes.length;
  while (end > 0 && bytes[end - 1] === 0) end--;
  return end;
}

/**
 * The law: an error of skep's own, or the same entries. A prefix is allowed in two cases only: the tail of a live copy,
 * and (`mayEndEarly`) damage that no reader could see, for it looks like a segment that ends earlier.
 */
function check(good: Segment, whole: readonly string[], bad: Buffer, mayEndEarly: boolean): void {
  for (const tail of ['closed', 'live'] as const) {
    const found = read({ name: good.name, bytes: bad }, tail);
    if (found.code !== undefined) {
      expect(found.code).toMatch(/^segment-(damaged|unsupported)$/);
      continue;
    }
    const wrong = found.entries.findIndex((e, i) => e !== whole[i]);
    expect(wrong, `${tail}: ${found.entries[wrong]}`).toBe(-1);
    if (tail === 'closed' && !mayEndEarly) expect(found.entries.length).toBe(whole.length);
  }
}

describe.each(WAYS)('a segment written with %s', { timeout: LIMIT_MS }, (way) => {
  const good = segmentOf('5.0.6', way);
  const { bytes } = good;
  const end = contentEnd(bytes);
  const { entries: whole, code } = read(good, 'closed');

  test('without damage', () => {
    expect(code).toBeUndefined();
    expect(whole.length).toBeGreaterThan(70);
  });

  test('with flipped bits', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat(end * 8 - 1), { minLength: 1, maxLength: 3 }), (bits) => {
        const bad = Buffer.from(bytes);
        for (const bit of bits) bad[bit >> 3]! ^= 1 << (bit & 7);
        check(good, whole, bad, false);
      }),
      { numRuns: RUNS },
    );
  });

  test('with a flipped bit in any sync marker or length beside it', () => {
    const starts = new Set<number>();
    for (let at = bytes.readUInt16BE(12) + 18; at + 12 <= end; at = bytes.readInt32BE(at)) starts.add(at);
    expect(starts.size).toBeGreaterThan(5);
    for (const at of starts) {
      for (let bit = at * 8; bit < (at + 12) * 8; bit++) {
        const bad = Buffer.from(bytes);
        bad[bit >> 3]! ^= 1 << (bit & 7);
        check(good, whole, bad, false);
      }
    }
  });

  test('that is cut off', () => {
    const ends = new Set<number>([0]);
    for (const { position } of readSegment(good.name, bytes, 'closed')) ends.add(position);
    fc.assert(
      fc.property(fc.nat(end - 1), (length) => {
        // A file that ends behind a whole section is a whole file, to anyone.
        check(good, whole, Buffer.from(bytes.subarray(0, length)), endsWholeSection(bytes, length));
      }),
      { numRuns: RUNS },
    );
  });

  test('with a range of zeroes', () => {
    fc.assert(
      fc.property(fc.nat(end - 1), fc.integer({ min: 1, max: 600 }), (from, length) => {
        const bad = Buffer.from(bytes);
        bad.fill(0, from, Math.min(bad.length, from + length));
        // Zeroes up to the end look like a segment that was not filled; a compressed one has no such end.
        check(good, whole, bad, way === 'none' && from + length >= end);
      }),
      { numRuns: RUNS },
    );
  });

  test('with two parts swapped', () => {
    fc.assert(
      fc.property(fc.nat(end - 1), fc.nat(end - 1), fc.integer({ min: 1, max: 900 }), (a, b, length) => {
        const size = Math.min(length, end - Math.max(a, b));
        const bad = Buffer.from(bytes);
        bytes.copy(bad, a, b, b + size);
        bytes.copy(bad, b, a, a + size);
        check(good, whole, bad, false);
      }),
      { numRuns: RUNS },
    );
  });

  test('with a part repeated or taken out', () => {
    fc.assert(
      fc.property(fc.nat(end - 1), fc.integer({ min: 1, max: 900 }), fc.boolean(), (at, length, repeated) => {
        const part = bytes.subarray(at, Math.min(end, at + length));
        const rest = repeated ? bytes.subarray(at) : bytes.subarray(at + part.length);
        const bad = Buffer.concat([bytes.subarray(0, at), ...(repeated ? [part] : []), rest]);
        check(good, whole, bad, endsWholeSection(bytes, at) && contentEnd(bad) <= at);
      }),
      { numRuns: RUNS },
    );
  });

  test('with garbage', () => {
    fc.assert(
      fc.property(fc.nat(end - 1), fc.uint8Array({ minLength: 1, maxLength: 300 }), (at, garbage) => {
        const bad = Buffer.from(bytes);
        bad.set(garbage.subarray(0, Math.min(garbage.length, bad.length - at)), at);
        check(good, whole, bad, way === 'none' && contentEnd(bad) < end);
      }),
      { numRuns: RUNS },
    );
  });
});

function endsWholeSection(bytes: Buffer, length: number): boolean {
  for (let at = bytes.readUInt16BE(12) + 18; at <= length && at + 8 <= bytes.length; at = bytes.readInt32BE(at)) {
    // Less than a marker behind a section is no marker.
    if (length - at < 8 && bytes.subarray(at, length).every((b) => b === 0)) return true;
    if (bytes.readInt32BE(at) <= at) return false;
  }
  return false;
}
