/** A kill matrix of repositories on a path. */
import { join } from 'node:path';
import { copyPrepared, prepare } from './crash-case.ts';
import { watchSteps } from './file-steps.ts';
import type { Ground, SeenStep } from './kill-matrix.ts';
import { type Operation, placeIn, repositoryIn } from './operations.ts';
import { record } from './record.ts';
import { nameOf } from './step-names.ts';
import { removeFolder } from './torture-folder.ts';

export const pathGround: Ground = {
  layOut: async (folder) => placeIn(folder),
  async judging(place, work) {
    watchSteps(place.access.location, { before: () => 'skip' });
    try {
      return await work();
    } finally {
      watchSteps(undefined);
    }
  },
  remove: async () => undefined,
};

/** Prepares a matrix in the folder; gives the steps of an undisturbed run. */
export async function preparePath(folder: string, op: Operation): Promise<SeenStep[]> {
  const template = join(folder, 'template');
  watchSteps(repositoryIn(template), { before: () => 'skip' });
  await prepare(template, op);
  watchSteps(undefined);
  const recorded = join(folder, 'recorded');
  copyPrepared(template, recorded);
  const { events } = await record(recorded, op);
  await removeFolder(recorded);
  return events.map(({ step, phase }) => ({
    step: nameOf(step),
    phase,
    id: step,
    halves: step.kind === 'write' || step.kind === 'delete-tree',
  }));
}
