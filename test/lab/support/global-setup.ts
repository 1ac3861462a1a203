import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { TestProject } from 'vitest/node';
import { removeLab } from '../../../lab/clusters/remove.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** Where the labs of this run are. */
    labsFolder: string;
    /** When this process ends, they go down. */
    labsOwner: number;
  }
}

/** Boots nothing: says where labs go, and removes them at the end of the run. */
export default function setup(project: TestProject): () => Promise<void> {
  const folder = path.join(tmpdir(), 'skep-lab', `test-${process.pid}`);
  project.provide('labsFolder', folder);
  project.provide('labsOwner', process.pid);
  return async () => {
    for (const name of ['shared', 'own', 'hosts']) await removeLab(path.join(folder, name));
    await rm(folder, { recursive: true, force: true });
  };
}
