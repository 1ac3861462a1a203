// After a test that failed: which servers of the labs do not answer, with the ends of their logs. A lab is gone when its run
// ends, and with it what would tell why.
import path from 'node:path';
import { afterEach, inject } from 'vitest';
import { openLab } from '../../../lab/clusters/lab.ts';
import { findRecord } from '../../../lab/clusters/record.ts';

afterEach(async ({ task }) => {
  if (task.result?.state !== 'fail') return;
  for (const name of ['shared', 'own']) {
    const root = path.join(inject('labsFolder'), name);
    if ((await findRecord(root)) === undefined) continue;
    for (const service of (await openLab(root)).services()) {
      const state = await service.state();
      if (state === 'ready') continue;
      process.stdout.write(`lab ${name}: ${service.name} is ${state}; its log ends with\n${await service.logEnd()}\n`);
    }
  }
});
