/** Kills an operation's process at its steps, and judges what is there afterwards. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import pLimit from 'p-limit';
import { copyPrepared, judge, type Operation, prepare, repositoryIn } from './crash-case.ts';
import { watchSteps } from './file-steps.ts';
import { record } from './record.ts';
import { nameOf } from './step-names.ts';
import { removeFolder } from './torture-folder.ts';

/** Where a run is to die. */
export interface Failpoint {
  step: string;
  /** The nth step of that name, from 1. */
  occurrence: number;
  phase: 'begin' | 'half' | 'end';
}

export interface KillResult {
  failpoint: Failpoint;
  /** The operation had said that it is done. */
  done: boolean;
  complaints: string[];
}

const PROCESSES = 2;

/** The failpoints of an operation, as a run of it meets them. `few`: for each name, before the first and after the last. */
export async function failpointsOf(folder: string, op: Operation, few: boolean): Promise<Failpoint[]> {
  const recorded = join(folder, 'recorded');
  copyPrepared(join(folder, 'template'), recorded);
  const { events } = await record(recorded, op);
  await removeFolder(recorded);
  const times = new Map<string, number>();
  const ended = new Set(events.filter(({ phase }) => phase === 'end').map(({ step }) => step));
  const failpoints: Failpoint[] = [];
  const steps = events.filter(({ phase }) => phase === 'begin').map(({ step }) => step);
  for (const found of steps) times.set(nameOf(found), (times.get(nameOf(found)) ?? 0) + 1);
  const counted = new Map<string, number>();
  for (const found of steps) {
    const step = nameOf(found);
    const occurrence = (counted.get(step) ?? 0) + 1;
    counted.set(step, occurrence);
    const [first, last] = [occurrence === 1, occurrence === times.get(step)];
    if (!few || first) failpoints.push({ step, occurrence, phase: 'begin' });
    const halves = found.kind === 'write' || found.kind === 'delete-tree';
    if (halves && (!few || last)) failpoints.push({ step, occurrence, phase: 'half' });
    // A link to a name that is taken begins and never ends.
    if (ended.has(found) && (!few || last)) failpoints.push({ step, occurrence, phase: 'end' });
  }
  return failpoints;
}

/** One prepared folder for a whole matrix. */
export async function prepareMatrix(folder: string): Promise<void> {
  await prepare(join(folder, 'template'));
}

export async function killAtEach(
  folder: string,
  op: Operation,
  failpoints: readonly Failpoint[],
  onResult: (result: KillResult) => void = () => {},
): Promise<KillResult[]> {
  const processes = pLimit(PROCESSES);
  // What is watched is one for the whole process.
  const judging = pLimit(1);
  return Promise.all(
    failpoints.map((failpoint, n) =>
      processes(async () => {
        const own = join(folder, `kill${n}`);
        copyPrepared(join(folder, 'template'), own);
        const { died, done } = await killAt(own, op, failpoint, join(folder, 'compiled'));
        const complaints = died ? await judging(() => judgeSafely(own, op, done)) : ['the run was not killed'];
        await removeFolder(own);
        const result = { failpoint, done, complaints };
        onResult(result);
        return result;
      }),
    ),
  );
}

async function killAt(
  folder: string,
  op: Operation,
  { step, occurrence, phase }: Failpoint,
  cache: string,
): Promise<{ died: boolean; done: boolean }> {
  const script = join(import.meta.dirname, 'kill-process.ts');
  const child = spawn(process.execPath, [script, op.name, folder, step, String(occurrence), phase], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, NODE_COMPILE_CACHE: cache },
  });
  let printed = '';
  child.stdout.on('data', (chunk: Buffer) => (printed += chunk.toString()));
  const [, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
  return { died: signal === 'SIGKILL', done: printed.includes('done') };
}

async function judgeSafely(folder: string, op: Operation, done: boolean): Promise<string[]> {
  watchSteps(repositoryIn(folder), { before: () => 'skip' });
  try {
    return await judge(folder, op, done);
  } catch (error) {
    return [`the rerun failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`];
  } finally {
    watchSteps(undefined);
  }
}
