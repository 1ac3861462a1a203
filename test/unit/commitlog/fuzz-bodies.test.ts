import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Classifier, parseSegmentName, readSegment } from '../../../src/commitlog/index.ts';
import { makeEntry } from '../../../src/commitlog/entry.ts';
import { SkepError } from '../../../src/errors.ts';
import { schemaOf, segmentOf, VERSIONS } from './fixtures.ts';
import { segment } from './handmade.ts';

const RUNS = Number(process.env['SKEP_FUZZ_RUNS'] ?? 200);
const LIMIT_MS = Math.max(60_000, RUNS * 100);

/** The mutations of a real segment, without sizes and checksums. */
function bodiesOf(version: (typeof VERSIONS)[number]): Buffer[] {
  const { name, bytes } = segmentOf(version, 'none');
  return [...readSegment(name, bytes, 'closed')].map((e) => Buffer.from(e.bytes.subarray(e.start + 8, e.end - 4)));
}

// Checksums protect against disks, not against a writer of another mind: here all of them are right.
describe.each(VERSIONS)('mutations of Cassandra %s with damage that no checksum tells of', (version) => {
  const schema = schemaOf(version);
  const wanted = new Set([...schema.values()].filter((t) => !t.counter).map((t) => t.id));
  const classifier = new Classifier({ schema, wanted, foreign: new Set(), T: 2n ** 62n });
  const bodies = bodiesOf(version);

  /** How many of these are read; or the code of the error that ends it. Any other error is thrown. */
  function read(changed: readonly Buffer[]): number | string {
    const { name, bytes } = segment(5n, [changed.map((b) => makeEntry([b]))]);
    expect(parseSegmentName(name)).toBeDefined();
    try {
      return [...classifier.segment(name, bytes, 'closed')].length;
    } catch (e) {
      if (e instanceof SkepError) return e.code;
      throw e;
    }
  }

  function expectLawful(changed: readonly Buffer[]): void {
    const found = read(changed);
    if (typeof found === 'string') expect(found).toMatch(/^segment-(damaged|schema-mismatch)$/);
    else expect(found).toBe(changed.length);
  }

  test('are read whole without it', () => {
    expect(read(bodies)).toBe(bodies.length);
    expect(bodies.length).toBeGreaterThan(60);
  });

  test('end in a typed error, or are read as as many mutations as there are', { timeout: LIMIT_MS }, () => {
    const damage = fc.record({
      which: fc.nat(bodies.length - 1),
      at: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      bytes: fc.uint8Array({ minLength: 1, maxLength: 12 }),
      kind: fc.constantFrom('over', 'insert', 'cut', 'drop'),
    });
    fc.assert(
      fc.property(damage, ({ which, at, bytes, kind }) => {
        const body = bodies[which] as Buffer;
        const place = Math.floor(at * body.length);
        const [before, after] = [body.subarray(0, place), body.subarray(place)];
        const changed = {
          over: () => Buffer.concat([before, bytes, after.subarray(bytes.length)]),
          insert: () => Buffer.concat([before, bytes, after]),
          cut: () => Buffer.from(before),
          drop: () => Buffer.concat([before, after.subarray(bytes.length)]),
        }[kind]();
        expectLawful([...bodies.slice(0, 2), changed, ...bodies.slice(-2)]);
      }),
      { numRuns: 5 * RUNS },
    );
  });

  test('cut short anywhere are never taken for whole', { timeout: LIMIT_MS }, () => {
    for (const body of bodies) {
      const step = Math.max(1, Math.floor(body.length / 60));
      for (let length = 0; length < body.length; length += step) {
        expect(read([body.subarray(0, length)]), body.toString('hex', 0, 40)).toMatch(/^segment-/);
      }
    }
  });

  test('of random bytes end in a typed error', { timeout: LIMIT_MS }, () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => expectLawful([Buffer.from(bytes)])),
      { numRuns: RUNS },
    );
  });
});
