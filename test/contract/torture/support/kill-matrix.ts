/** Kills an operation's process at its steps, and judges what is there afterwards. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import pLimit from 'p-limit';
import type { RepositoryAccess } from '../../../../src/repository/index.ts';
import { copyPrepared, judge } from './crash-case.ts';
import type { Operation } from './operations.ts';
import type { Place } from './place.ts';
import { removeFolder } from './torture-folder.ts';

/** Where a run is to die. */
export interface Failpoint {
  step: string;
  /** The nth step of that name, from 1. */
  occurrence: number;
  phase: 'begin' | 'half' | 'end';
}

/** A step of a run as it was seen: those that can be left half done have a `half`. */
export interface SeenStep {
  step: string;
  phase: 'begin' | 'end';
  /** The same for both of its phases. */
  id: unknown;
  halves: boolean;
}

export interface KillResult {
  failpoint: Failpoint;
  /** The operation had said that it is done. */
  done: boolean;
  complaints: string[];
}

/** How the repositories of a matrix are had: on a path, or in a bucket. */
export interface Ground {
  /** Lays out what was prepared under a name of its own; `folder` has the files of the nodes. */
  layOut(folder: string, name: string): Promise<Place>;
  /** While this process judges, nothing is to wait for a disk. */
  judging<T>(place: Place, work: () => Promise<T>): Promise<T>;
  remove(name: string): Promise<void>;
}

const PROCESSES = 2;

/** Empty folders and files are nothing yet; of what is only staged one look is enough. Unless all failpoints are wanted. */
const EMPTY = /^(?:mkdir|create) /;
const STAGED = /^[a-z]+ incoming\//;

/**
 * The failpoints of an operation, from the steps of a run of it. `few`: for each name, before the first and after the last.
 * What is left before a step and after the one before it is the same, and is tried once.
 */
export function failpointsOf(events: readonly SeenStep[], few: boolean): Failpoint[] {
  const times = new Map<string, number>();
  for (const { step, phase } of events) if (phase === 'begin') times.set(step, (times.get(step) ?? 0) + 1);
  const counted = new Map<string, number>();
  const occurrences = new Map<unknown, number>();
  const states = new Set<number>();
  const failpoints: Failpoint[] = [];
  const add = (state: number, failpoint: Failpoint): void => {
    if (!states.has(state)) failpoints.push(failpoint);
    states.add(state);
  };
  for (const [i, { step, phase, id, halves }] of events.entries()) {
    if (phase === 'begin') {
      const occurrence = (counted.get(step) ?? 0) + 1;
      counted.set(step, occurrence);
      occurrences.set(id, occurrence);
      if (!few || (occurrence === 1 && !EMPTY.test(step))) add(i, { step, occurrence, phase });
      if (halves && (!few || occurrence === 1)) failpoints.push({ step, occurrence, phase: 'half' });
    } else {
      const occurrence = occurrences.get(id) ?? 0;
      if (!few || (occurrence === times.get(step) && !EMPTY.test(step) && !STAGED.test(step)))
        add(i + 1, { step, occurrence, phase });
    }
  }
  return failpoints;
}

/** One side of each step, before and after in turn: for what takes long. */
export function oneSide(failpoints: readonly Failpoint[]): Failpoint[] {
  const bySteps = Map.groupBy(failpoints, ({ step }) => step);
  return [...bySteps.values()].map((sides, n) => sides.at(n % 2 === 0 ? 0 : -1) as Failpoint);
}

export async function killAtEach(
  folder: string,
  op: Operation,
  failpoints: readonly Failpoint[],
  ground: Ground,
): Promise<KillResult[]> {
  const processes = pLimit(PROCESSES);
  // What is watched is one for the whole process.
  const judging = pLimit(1);
  return Promise.all(
    failpoints.map((failpoint, n) =>
      processes(async () => {
        const own = join(folder, `kill${n}`);
        copyPrepared(join(folder, 'template'), own);
        const place = await ground.layOut(own, `kill${n}`);
        const { died, done } = await killAt(own, op, failpoint, place.access, join(folder, 'compiled'));
        const complaints = died
          ? await judging(() => judgeSafely(own, op, done, place, ground))
          : ['the run was not killed'];
        await ground.remove(`kill${n}`);
        await removeFolder(own);
        return { failpoint, done, complaints };
      }),
    ),
  );
}

async function killAt(
  folder: string,
  op: Operation,
  { step, occurrence, phase }: Failpoint,
  access: RepositoryAccess,
  cache: string,
): Promise<{ died: boolean; done: boolean }> {
  const script = join(import.meta.dirname, 'kill-process.ts');
  const child = spawn(process.execPath, [script, op.name, folder, step, String(occurrence), phase], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, NODE_COMPILE_CACHE: cache, SKEP_TORTURE_ACCESS: JSON.stringify(access) },
  });
  let printed = '';
  child.stdout.on('data', (chunk: Buffer) => (printed += chunk.toString()));
  const [, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
  return { died: signal === 'SIGKILL', done: printed.includes('done') };
}

async function judgeSafely(
  folder: string,
  op: Operation,
  done: boolean,
  place: Place,
  ground: Ground,
): Promise<string[]> {
  try {
    return await ground.judging(place, () => judge(folder, op, done, place));
  } catch (error) {
    return [`the rerun failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`];
  }
}
