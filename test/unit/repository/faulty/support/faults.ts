/** What a bad storage does to the calls of a backend, and when. */
import { SkepError } from '../../../../../src/errors.ts';

/**
 * fail: the call has no effect and fails · lost: it has its effect, its answer is lost · again: it was sent twice, the
 * second answer is what comes · full: no space · cut: a part is written, and that is told · short-put: a part is written,
 * and success is told · partly: of several keys some are done, then it fails · slow: others get many turns first · stale: a
 * listing lacks what came last and shows what is gone · short-read: fewer bytes come · broken-read: a stream breaks off ·
 * down: this and every later call of the operation fails.
 */
export const FAULT_KINDS = [
  'fail',
  'lost',
  'again',
  'full',
  'cut',
  'short-put',
  'partly',
  'slow',
  'stale',
  'short-read',
  'broken-read',
  'down',
] as const;

export type FaultKind = (typeof FAULT_KINDS)[number];

export interface Fault {
  kind: FaultKind;
  /** Calls that pass after the fault before; then it strikes the next one that it fits. */
  after: number;
  /** How much: turns of a delay, keys that a stale listing lacks. */
  amount: number;
}

/** So many calls of one history are taken for an endless loop. */
const MOST_CALLS = 100_000;

/** The faults of one history, in order, for all who use the storage. */
export class Faults {
  readonly struck: FaultKind[] = [];
  #waiting: Fault[];
  #passed = 0;
  #calls = 0;

  constructor(faults: readonly Fault[]) {
    this.#waiting = [...faults];
  }

  /** The storage is good from here on. */
  end(): void {
    this.#waiting = [];
  }

  /** The fault that strikes this call, if any does. */
  next(fits: ReadonlySet<FaultKind>, allowed: (kind: FaultKind) => boolean): Fault | undefined {
    if (++this.#calls > MOST_CALLS) throw new Error('HANG: an operation calls the storage for ever');
    const [fault] = this.#waiting;
    if (fault === undefined || this.#passed++ < fault.after) return undefined;
    if (!fits.has(fault.kind) || !allowed(fault.kind)) return undefined;
    this.#waiting.shift();
    this.#passed = 0;
    this.struck.push(fault.kind);
    return fault;
  }
}

/** What a call that fails ends with. */
export function failed(what: string): SkepError {
  return new SkepError('repository-failed', `the storage failed to ${what}`);
}

export function full(what: string): SkepError {
  return new SkepError('no-space', `no space to ${what}`);
}

export async function turns(n: number): Promise<void> {
  for (let i = 0; i < n; i++) await new Promise((resolve) => setImmediate(resolve));
}
