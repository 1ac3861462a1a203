// `watchdog.ts ROOT PID START_TIME`: waits until that process has ended, then removes the lab of the folder.
// It ends by itself when the lab is gone, or when another lab has taken the folder.
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { exclusive } from '../ground/exclusive.ts';
import { isAlive } from '../services/process-identity.ts';
import { removeLab } from './remove.ts';

const [root = '', pid = '', startTime = ''] = process.argv.slice(2);
const owner = { pid: Number(pid), startTime: Number(startTime) };
const watched = await labId();

while (watched !== undefined && (await labId()) === watched) {
  if (!(await isAlive(owner))) {
    await exclusive(`up ${root}`, async () => {
      if ((await labId()) === watched) await removeLab(root, [process.pid]);
    });
    break;
  }
  await delay(500);
}

async function labId(): Promise<string | undefined> {
  return readFile(path.join(root, '.skep-lab'), 'utf8').catch(() => undefined);
}
