/** Setting the wall clock must not keep a lease alive, and the monotonic one stands still while a machine sleeps. */
export interface Clocks {
  steadyMs: number;
  wallMs: number;
}

export function readClocks(): Clocks {
  return { steadyMs: performance.now(), wallMs: Date.now() };
}

/** ms since then, by the clock that says more. */
export function silence(since: Clocks): number {
  const { steadyMs, wallMs } = readClocks();
  return Math.max(steadyMs - since.steadyMs, wallMs - since.wallMs);
}
