import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { SkepError } from '../../src/errors.ts';
import { exclusive } from '../ground/exclusive.ts';
import { allGone, endProcesses, signalProcess } from './end-processes.ts';
import { identify, isAlive, type ProcessIdentity } from './process-identity.ts';
import { isReady } from './readiness.ts';
import { readRun, readSpec, type ServiceSpec, writeRun } from './spec.ts';

export type ServiceState = 'ready' | 'starting' | 'stopped';

/** Starts a service unless it runs, and returns when it is ready. Fails at once when its process ends. */
export async function startService(root: string, name: string, signal?: AbortSignal): Promise<void> {
  const spec = await readSpec(root, name);
  // two starts at once, one by the lab and one by a control script, must not make two processes
  const process = await exclusive(
    `${root}/${name}`,
    async () => (await runningProcess(root, name)) ?? launch(root, spec),
    signal,
  );
  const end = Date.now() + spec.startLimitMs;
  while (!(await isReady(spec.ready))) {
    if (!(await isAlive(process))) throw await failedToStart(spec, 'ended while it was starting');
    if (Date.now() > end) throw await failedToStart(spec, `was not ready after ${spec.startLimitMs / 1000} s`);
    await delay(150, undefined, { signal });
  }
}

/** Stops a service with SIGTERM, then SIGKILL; returns when its process is gone. */
export async function stopService(root: string, name: string): Promise<void> {
  const spec = await readSpec(root, name);
  const process = await runningProcess(root, name);
  if (process !== undefined) await endProcesses([process], spec.stopLimitMs);
}

/** Kills a service with SIGKILL, as a power failure would; returns when its process is gone. */
export async function killService(root: string, name: string): Promise<void> {
  const process = await runningProcess(root, name);
  if (process === undefined) return;
  await signalProcess(process, 'SIGKILL');
  while (!(await allGone([process], 1000)));
}

export async function serviceState(root: string, name: string): Promise<ServiceState> {
  const spec = await readSpec(root, name);
  if ((await runningProcess(root, name)) === undefined) return 'stopped';
  return (await isReady(spec.ready)) ? 'ready' : 'starting';
}

/** The process of a service, when it runs. */
export async function runningProcess(root: string, name: string): Promise<ProcessIdentity | undefined> {
  const run = await readRun(root, name);
  return run !== undefined && (await isAlive(run)) ? run : undefined;
}

async function launch(root: string, spec: ServiceSpec): Promise<ProcessIdentity> {
  const [file, ...args] = spec.argv;
  if (file === undefined) throw new SkepError('internal', `the service ${spec.name} has no command`);
  mkdirSync(path.dirname(spec.log), { recursive: true });
  const log = openSync(spec.log, 'a');
  // its own session, so that it outlives this process and gets none of the terminal's signals
  const child = spawn(file, args, { cwd: spec.cwd, env: spec.env, detached: true, stdio: ['ignore', log, log] });
  closeSync(log);
  const failure = new Promise<Error | undefined>((resolve) => {
    child.once('error', resolve);
    child.once('spawn', () => resolve(undefined));
  });
  const error = await failure;
  if (error !== undefined || child.pid === undefined) {
    throw new SkepError('command-failed', `${file} could not be started`, {
      hint: 'Run `make setup`: a package may be missing.',
      cause: error,
    });
  }
  child.unref();
  const identity = await identify(child.pid);
  if (identity === undefined) throw await failedToStart(spec, 'ended at once');
  await writeRun(root, spec.name, identity);
  return identity;
}

async function failedToStart(spec: ServiceSpec, how: string): Promise<SkepError> {
  return new SkepError('command-failed', `${spec.name} ${how}: ${await logEnd(spec)}`, {
    hint: `Read ${spec.log}.`,
    context: { service: spec.name, log: spec.log },
  });
}

/** The last lines of a service's log; empty when it has none. */
export async function logEnd({ log }: Pick<ServiceSpec, 'log'>): Promise<string> {
  const text = await readFile(log, 'utf8').catch(() => '');
  return text.trimEnd().split('\n').slice(-15).join('\n');
}
