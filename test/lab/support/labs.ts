// One lab for all files of a run: it boots when the first test asks for it and goes down when the run ends, however it
// ends. Files run one after the other; each begins with an empty lab.
import path from 'node:path';
import { inject } from 'vitest';
import { type Lab, labUp, type LabOptions, openLab } from '../../../lab/index.ts';
import { findRecord } from '../../../lab/clusters/record.ts';
import { removeLab } from '../../../lab/clusters/remove.ts';
import { freeShift } from './free-shift.ts';
import { notNice } from './not-nice.ts';

/** The shared lab, empty as after boot and with every service running. Call it in `beforeAll`. */
export async function sharedLab(): Promise<Lab> {
  const root = path.join(inject('labsFolder'), 'shared');
  if ((await findRecord(root)) !== undefined) {
    const lab = await openLab(root);
    await lab.reset();
    return lab;
  }
  return boot('shared', {});
}

/** Memory that a node of a second lab takes, in bytes, with a third to spare. */
const NODE_BYTES = 2 * 2 ** 30;

/** The shared lab goes down where the memory is too small for another one beside it. */
export async function makeRoom({ nodes = 3 }: LabOptions = {}): Promise<void> {
  if (process.availableMemory() < nodes * NODE_BYTES) await removeLab(path.join(inject('labsFolder'), 'shared'));
}

/**
 * A lab of another kind than the shared one, for who takes it down again. The shared lab goes down first where the memory is
 * too small for both.
 */
export async function ownLab(options: LabOptions): Promise<Lab> {
  await makeRoom(options);
  return boot('own', options);
}

/** Runs `task` with a lab of its own; it is down afterwards. */
export async function withOwnLab<T>(options: LabOptions, task: (lab: Lab) => Promise<T>): Promise<T> {
  const lab = await ownLab(options);
  try {
    return await task(lab);
  } finally {
    await lab.down();
  }
}

async function boot(name: string, options: LabOptions): Promise<Lab> {
  const root = path.join(inject('labsFolder'), name);
  const from = Date.now();
  const onProgress = (line: string): void => {
    process.stdout.write(`lab ${name} ${((Date.now() - from) / 1000).toFixed(1).padStart(6)} s  ${line}\n`);
  };
  const shift = await freeShift(options.nodes);
  return notNice(await labUp({ name, shift, owner: inject('labsOwner'), onProgress, ...options, root }));
}
