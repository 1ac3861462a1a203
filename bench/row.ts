/** A line of `make bench`. `ratio` is ours over the peer's time: below 1 is faster than the peer. */
export interface Row {
  bench: string;
  ratio: number;
  ours_s: number;
  peer_s: number;
  /** How often both ran, by turns; the times are medians. */
  n: number;
  /** The ratio that this row must not exceed. */
  bar?: number;
  [more: string]: unknown;
}

/** CPU time in seconds (one core) of some work in this process. */
export async function cpuSeconds(work: () => unknown): Promise<number> {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1e6;
}

export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0;
}

export function round(n: number): number {
  return Math.round(n * 1000) / 1000;
}
