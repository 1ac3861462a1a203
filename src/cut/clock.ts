import { SkepError } from '../errors.ts';

/** What one question and answer told about a node's clock, all in µs. */
export interface ClockSample {
  askedUs: number;
  nodeUs: number;
  answeredUs: number;
}

/** How far a node's clock is ahead of the controller's, in µs, and how wrong that may be. */
export interface ClockOffset {
  node: string;
  offsetUs: number;
  errorUs: number;
}

/** The offset told by the sample with the shortest way: the answer was given somewhere between the two times. */
export function offsetOf(node: string, samples: readonly ClockSample[]): ClockOffset {
  const best = samples.reduce((a, b) => (b.answeredUs - b.askedUs < a.answeredUs - a.askedUs ? b : a));
  const errorUs = Math.ceil((best.answeredUs - best.askedUs) / 2);
  return { node, offsetUs: Math.round(best.nodeUs - (best.askedUs + best.answeredUs) / 2), errorUs };
}

/** The largest distance that two of the clocks can have, in µs. */
export function spreadOf(offsets: readonly ClockOffset[]): number {
  const ahead = Math.max(...offsets.map((o) => o.offsetUs + o.errorUs));
  const behind = Math.min(...offsets.map((o) => o.offsetUs - o.errorUs));
  return Math.max(0, ahead - behind);
}

/** Refuses (`clock-skew`) when two clocks may differ by more than the limit. */
export function checkSkew(offsets: readonly ClockOffset[], maxMs: number): void {
  const spread = spreadOf(offsets);
  if (spread <= maxMs * 1000) return;
  const far = [...offsets].sort((a, b) => Math.abs(b.offsetUs) - Math.abs(a.offsetUs))[0] as ClockOffset;
  throw new SkepError(
    'clock-skew',
    `clocks differ by up to ${(spread / 1000).toFixed(1)} ms, the limit is ${maxMs} ms`,
    {
      context: { spreadMs: spread / 1000, limitMs: maxMs, node: far.node, offsetMs: far.offsetUs / 1000 },
    },
  );
}

/** Most that the two clocks of a process can differ by rounding and a busy machine, in ms. */
const AGREE_MS = 2;

/**
 * This machine's clock in µs. The fine clock of a process counts from its start and does not see that the machine's was
 * set anew meanwhile, or stood still while the machine slept: then the machine's own counts, though it has only ms.
 */
export function nowUs(): number {
  const fine = performance.timeOrigin + performance.now();
  const wall = Date.now();
  return Math.round((Math.abs(fine - wall) < AGREE_MS ? fine : wall) * 1000);
}

/**
 * The cut time: later than now on every node's clock, by more than the clocks can differ. Odd, since JanusGraph stamps
 * the deletions of a commit with an even and its additions with the next odd microsecond: an odd `T` splits no pair.
 */
export function chooseT(now: number, offsets: readonly ClockOffset[]): bigint {
  const ahead = Math.max(...offsets.map((o) => o.offsetUs + o.errorUs));
  const T = BigInt(now + Math.max(0, ahead) + spreadOf(offsets) + 1_000);
  return T % 2n === 1n ? T : T + 1n;
}

/** What the slowest of the clocks may show when the controller's shows `now`; µs. */
export function slowest(now: number, offsets: readonly ClockOffset[]): number {
  return now + Math.min(...offsets.map((o) => o.offsetUs - o.errorUs));
}

/** How long until every node's clock is past a time by the nodes' clocks, in ms; the controller's may be another. */
export function untilPast(us: bigint, now: number, offsets: readonly ClockOffset[]): number {
  return Math.max(0, Math.ceil((Number(us) - slowest(now, offsets)) / 1000) + 1);
}
