/** How often a run touches its folder of pins, and for how long it may not have done so before it is taken for dead. */
export const HEARTBEAT_MS = 5_000;
const DEAD_AFTER_MS = 10 * 60_000;

/** A folder with the pins of one run, as `look.pins` finds it. */
export interface PinsOfRun {
  folder: string;
  run: string;
  /** Since it was touched, by the clock of its node. */
  idleMs: number;
}

/** The runs that still touch their pins somewhere: an agent of them lives, whichever repository they write to. Pure. */
export function touching(pins: readonly PinsOfRun[]): Set<string> {
  return new Set(pins.filter((p) => p.idleMs < DEAD_AFTER_MS).map((p) => p.run));
}
