import { randomUUID } from 'node:crypto';
import { claimFolder, removeLab } from '../clusters/remove.ts';
import { startWatchdog } from '../clusters/watch.ts';
import type { LabService } from './service.ts';
import { LAB_ID } from './spec.ts';

/**
 * Starts one service without a cluster, in a folder of its own. `prepare` writes its specification with the environment that marks
 * its processes. It goes down with the process `owner`, however that ends.
 */
export async function bootAlone<T extends LabService>(
  { root, owner }: { root: string; owner: number },
  prepare: (id: string, env: Record<string, string>) => Promise<T>,
): Promise<T> {
  const id = randomUUID();
  await claimFolder(root, id);
  try {
    await startWatchdog(root, owner);
    const service = await prepare(id, { PATH: process.env['PATH'] ?? '/usr/bin:/bin', HOME: root, [LAB_ID]: id });
    await service.start();
    return service;
  } catch (e) {
    await removeLab(root);
    throw e;
  }
}
