/** For each row whose bar is missed: why, and what the limit is. Told in docs/benchmarks.md as long as it is missed. */
export const WHYS: Record<string, string> = {};
