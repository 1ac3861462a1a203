import type { ClockOffset } from '../cut/clock.ts';
import type { Topology } from '../discovery/topology.ts';
import type { ErrorCode } from '../errors.ts';
import type { Verdict } from '../events.ts';
import type { Connections } from '../run/connections.ts';

/** What a check may look at. */
export interface CheckContext {
  /** May lack nodes that could not be reached: a check looks at those that are there. */
  connections: Connections;
  topology: Topology;
  clocks: readonly ClockOffset[];
  signal: AbortSignal;
  /** Time of the check in ms since the epoch. */
  now: number;
}

/** One thing that a check found. */
export interface CheckResult {
  verdict: Verdict;
  /** What was seen, with its numbers: lower case, no final period. */
  seen: string;
  /** The command that mends it; absent when there is nothing to mend. */
  cure?: string;
  node?: string;
  /** With which error a backup is refused for it; `preflight-failed` when absent. */
  code?: ErrorCode;
}

export interface Check {
  id: string;
  /** What is as it should be when it passes. */
  title: string;
  /** `preflight`: a backup is refused when it fails. `report`: only told. */
  needs: 'preflight' | 'report';
  /** Looks and judges. What it throws counts as a failure: it could not look. Changes nothing that lasts. */
  run(ctx: CheckContext): Promise<CheckResult[]>;
}

/** A result under the check that gave it. */
export interface CheckFinding extends CheckResult {
  id: string;
  title: string;
}

export const pass = (seen: string, node?: string): CheckResult => ({
  verdict: 'pass',
  seen,
  ...(node === undefined ? {} : { node }),
});

export const warn = (seen: string, cure: string, node?: string): CheckResult => ({
  verdict: 'warn',
  seen,
  cure,
  ...(node === undefined ? {} : { node }),
});

export const fail = (seen: string, cure: string, o: { node?: string; code?: ErrorCode } = {}): CheckResult => ({
  verdict: 'fail',
  seen,
  cure,
  ...o,
});
