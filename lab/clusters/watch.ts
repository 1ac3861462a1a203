import { spawn } from 'node:child_process';
import path from 'node:path';
import { SkepError } from '../../src/errors.ts';
import { identify } from '../services/process-identity.ts';

/** Starts a process of its own that takes the lab down when its owner has ended, however it ended. */
export async function startWatchdog(root: string, ownerPid: number): Promise<void> {
  const owner = await identify(ownerPid);
  if (owner === undefined) throw new SkepError('usage', `the owner of the lab does not run: ${ownerPid}`);
  const entry = path.join(import.meta.dirname, 'watchdog.ts');
  const argv = [entry, root, String(owner.pid), String(owner.startTime)];
  const child = spawn(process.execPath, argv, { detached: true, stdio: 'ignore', cwd: '/' });
  child.unref();
}
