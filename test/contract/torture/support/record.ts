import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { openRepository } from '../../../../src/repository/index.ts';

import { CrashModel } from './crash-model.ts';
import { type Step, watchSteps } from './file-steps.ts';
import { type Operation, repositoryIn } from './operations.ts';

/** What happened to a step, in the order of time; `done`: the operation had said by then that it is done. */
export interface StepEvent {
  step: Step;
  phase: 'begin' | 'end';
  done: boolean;
}

/** Does the operation and notes every step of it. */
export async function record(folder: string, op: Operation): Promise<{ events: StepEvent[]; complaints: string[] }> {
  const root = repositoryIn(folder);
  const events: StepEvent[] = [];
  let done = false;
  const model = new CrashModel(root);
  watchSteps(root, {
    before: (step) => {
      events.push({ step, phase: 'begin', done });
      return undefined;
    },
    after: (step) => void events.push({ step, phase: 'end', done }),
  });
  try {
    await op.run(await openRepository({ location: root }), folder, 0, () => (done = true));
  } finally {
    watchSteps(undefined);
  }
  for (const event of events) replay(model, event);
  return { events, complaints: differences(model, root) };
}

export function replay(model: CrashModel, { step, phase }: StepEvent): void {
  if (phase === 'begin') model.begin(step);
  else model.end(step);
}

/** A step that the seam does not see would make the model and the disk differ. */
function differences(model: CrashModel, root: string): string[] {
  const image = model.image('killed');
  const complaints: string[] = [];
  for (const entry of readdirSync(root, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name).slice(root.length + 1);
    const key = entry.isDirectory() ? `${path}/` : path;
    const modelled = image.get(key);
    image.delete(key);
    if (modelled === undefined) complaints.push(`the steps did not make ${key}`);
    else if (entry.isFile() && !modelled.equals(readFileSync(join(root, path))))
      complaints.push(`the steps made another ${key}`);
  }
  for (const key of image.keys()) complaints.push(`the steps left ${key}`);
  return complaints;
}
