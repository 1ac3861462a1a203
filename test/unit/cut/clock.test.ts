import fc from 'fast-check';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { checkSkew, chooseT, type ClockOffset, nowUs, offsetOf, spreadOf, untilPast } from '../../../src/cut/clock.ts';

const NOW = 1_795_400_000_000_000;
const offset = (node: string, offsetUs: number, errorUs = 0): ClockOffset => ({ node, offsetUs, errorUs });
const offsets = fc.array(
  fc.record({
    node: fc.string(),
    offsetUs: fc.integer({ min: -60_000_000, max: 60_000_000 }),
    errorUs: fc.integer({ min: 0, max: 1_000_000 }),
  }),
  { minLength: 1, maxLength: 9 },
);

describe('the offset of a clock', () => {
  test('is told by the quickest answer, and is never further off than its error says', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: -10_000_000, max: 10_000_000 }),
        fc.array(fc.tuple(fc.nat(50_000), fc.nat(50_000)), { minLength: 1, maxLength: 8 }),
        (ahead, ways) => {
          const samples = ways.map(([there, back], i) => {
            const askedUs = NOW + i * 1_000_000;
            return { askedUs, nodeUs: askedUs + there + ahead, answeredUs: askedUs + there + back };
          });
          const o = offsetOf('n1', samples);
          expect(Math.abs(o.offsetUs - ahead)).toBeLessThanOrEqual(o.errorUs + 1);
          const quickest = Math.min(...ways.map(([there, back]) => there + back));
          expect(o.errorUs).toBe(Math.ceil(quickest / 2));
        },
      ),
    );
  });
});

describe('the spread of clocks', () => {
  test('is the most that two of them can differ, errors included', () => {
    expect(spreadOf([offset('a', 100, 10), offset('b', -50, 5), offset('c', 0, 40)])).toBe(165);
    expect(spreadOf([offset('a', 7, 3)])).toBe(6);
  });

  test('above the limit refuses the cut and names the clock that is off', () => {
    const clocks = [offset('n1', 100), offset('n2', 600_000, 1), offset('n3', -100)];
    expect(() => checkSkew(clocks, 601)).not.toThrow();
    expect(() => checkSkew(clocks, 600)).toThrow(
      expect.objectContaining({
        code: 'clock-skew',
        exitCode: 14,
        context: expect.objectContaining({ node: 'n2', limitMs: 600, offsetMs: 600 }),
      }),
    );
  });
});

describe('T', () => {
  test('is odd, and later than now on every clock by more than the clocks can differ', () => {
    fc.assert(
      fc.property(offsets, (clocks) => {
        const T = chooseT(NOW, clocks);
        expect(T % 2n).toBe(1n);
        const latest = Math.max(...clocks.map((c) => NOW + c.offsetUs + c.errorUs), NOW);
        expect(T > BigInt(latest + spreadOf(clocks))).toBe(true);
      }),
    );
  });

  test('has passed on every clock after the wait, and the wait is not longer than it must be', () => {
    fc.assert(
      fc.property(offsets, (clocks) => {
        const T = chooseT(NOW, clocks);
        const later = NOW + untilPast(T, NOW, clocks) * 1000;
        const slowest = Math.min(...clocks.map((c) => later + c.offsetUs - c.errorUs));
        expect(BigInt(slowest) > T).toBe(true);
        expect(slowest - Number(T)).toBeLessThanOrEqual(2_000);
      }),
    );
  });
});

describe("this machine's clock", () => {
  test('follows the wall clock, also when that is set anew', () => {
    expect(Math.abs(nowUs() - Date.now() * 1000)).toBeLessThan(20_000);
    const real = Date.now();
    vi.useFakeTimers({ toFake: ['Date'], now: real + 3_600_000 });
    onTestFinished(() => void vi.useRealTimers());
    expect(Math.abs(nowUs() - (real + 3_600_000) * 1000)).toBeLessThan(20_000);
  });
});
