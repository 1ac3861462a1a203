/** Every state in which a crash may leave the disk while an operation runs, laid out and judged. */
import { randomInt } from 'node:crypto';
import { join } from 'node:path';
import { Random } from '../../../../lab/load/random.ts';
import { copyPrepared, judge, prepare } from './crash-case.ts';
import { CRASHES, CrashModel, digestOf, type Image, layOut } from './crash-model.ts';
import { watchSteps } from './file-steps.ts';
import { type Operation, repositoryIn } from './operations.ts';
import { record, replay, type StepEvent } from './record.ts';
import { nameOf } from './step-names.ts';
import { removeFolder } from './torture-folder.ts';

const SEED = process.env['SKEP_SEED'] ?? String(randomInt(1_000_000));

export interface CrashResult {
  /** Steps of the operation. */
  steps: number;
  /** Different states of the disk that were judged. */
  states: number;
  /** What was wrong, with the step and the crash. */
  complaints: string[];
}

export interface CrashOptions {
  /** Judges only every nth state. */
  every?: number;
  /** Of what `mixed` keeps and loses. */
  seed?: string;
  /** Changes the order of what was recorded: for negative controls. */
  tamper?: (events: StepEvent[]) => StepEvent[];
}

export async function crashEverywhere(folder: string, op: Operation, options: CrashOptions = {}): Promise<CrashResult> {
  const { every = 1, seed = SEED, tamper = (events) => events } = options;
  console.log(`${op.name}: seed ${seed}: run it again with SKEP_SEED=${seed}`);
  const random = new Random(seed);
  const template = join(folder, 'template');
  await prepare(template, op);
  const recorded = join(folder, 'recorded');
  copyPrepared(template, recorded);
  const { events, complaints } = await record(recorded, op);
  const seen = new Set<string>();
  let states = 0;
  for (const { image, at, done } of imagesOf(repositoryIn(template), tamper(events), () => random.next())) {
    const digest = `${done} ${digestOf(image)}`;
    if (seen.has(digest)) continue;
    seen.add(digest);
    if (seen.size % every !== 0) continue;
    states++;
    const found = await judgeImage(join(folder, `state${states}`), template, image, op, done);
    complaints.push(...found.map((complaint) => `${at}: ${complaint}`));
  }
  return { steps: events.filter(({ phase }) => phase === 'end').length, states, complaints };
}

interface CrashState {
  image: Image;
  at: string;
  done: boolean;
}

function* imagesOf(root: string, events: readonly StepEvent[], random: () => number): Generator<CrashState> {
  const model = new CrashModel(root);
  for (const [n, event] of events.entries()) {
    const where = `${event.phase} of step ${n} (${nameOf(event.step)})`;
    if (event.phase === 'end') {
      const half = halfDone(root, events.slice(0, n), event);
      if (half !== undefined) yield { image: half, at: `half of step ${n} (${nameOf(event.step)})`, done: event.done };
    }
    replay(model, event);
    for (const crash of CRASHES) {
      yield { image: model.image(crash, random), at: `${crash} at the ${where}`, done: event.done };
    }
  }
}

/** A killed process may leave a write or the deletion of a folder half done. */
function halfDone(root: string, before: readonly StepEvent[], { step }: StepEvent): Image | undefined {
  if (step.kind !== 'write' && step.kind !== 'delete-tree') return undefined;
  const model = new CrashModel(root);
  for (const event of before) replay(model, event);
  model.half(step);
  return model.image('killed');
}

async function judgeImage(
  folder: string,
  template: string,
  image: Image,
  op: Operation,
  done: boolean,
): Promise<string[]> {
  copyPrepared(template, folder, false);
  layOut(image, repositoryIn(folder));
  // What is judged from here on is what the disk has: waiting for it again would prove nothing.
  watchSteps(repositoryIn(folder), { before: () => 'skip' });
  try {
    return await judge(folder, op, done);
  } catch (error) {
    return [`the rerun failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`];
  } finally {
    watchSteps(undefined);
    await removeFolder(folder);
  }
}
