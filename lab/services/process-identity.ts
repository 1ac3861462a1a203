import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';

/** A process that cannot be mistaken for a later one with the same pid: start time in clock ticks since boot. */
export interface ProcessIdentity {
  pid: number;
  startTime: number;
}

/** The identity of a running process; undefined when there is none, or when it is a zombie. */
export async function identify(pid: number): Promise<ProcessIdentity | undefined> {
  const found = await readStat(pid);
  return found === undefined ? undefined : { pid: found.pid, startTime: found.startTime };
}

/** A running process and the pid of its parent. */
export interface RunningProcess extends ProcessIdentity {
  parent: number;
}

/**
 * Reads `/proc/PID/stat` (proc(5)): state is field 3, the parent field 4, start time field 22; the command in field 2
 * may hold anything. A zombie is no running process.
 */
export function parseStat(text: string): RunningProcess | undefined {
  const rest = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const state = rest[0];
  const startTime = Number(rest[19] ?? Number.NaN);
  if (state === undefined || state === 'Z' || state === 'X' || Number.isNaN(startTime)) return undefined;
  return { pid: Number.parseInt(text, 10), startTime, parent: Number(rest[1]) };
}

/** Every running process of this machine. */
export async function runningProcesses(): Promise<RunningProcess[]> {
  const all = await Promise.all((await pids()).map(readStat));
  return all.filter((p) => p !== undefined);
}

/** True while that very process runs. */
export async function isAlive(process: ProcessIdentity): Promise<boolean> {
  return (await identify(process.pid))?.startTime === process.startTime;
}

/** Every running process of this machine that we may look into and whose environment has `name=value`. */
export async function findByEnvironment(name: string, value: string): Promise<ProcessIdentity[]> {
  const found = await Promise.all(
    (await pids()).map(async (pid) => ((await environmentHas(pid, `${name}=${value}`)) ? identify(pid) : undefined)),
  );
  return found.filter((p) => p !== undefined);
}

async function pids(): Promise<number[]> {
  return (await readdir('/proc')).filter((n) => /^\d+$/.test(n)).map(Number);
}

async function readStat(pid: number): Promise<RunningProcess | undefined> {
  try {
    return parseStat(await readFile(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    // gone meanwhile
    return undefined;
  }
}

async function environmentHas(pid: number, entry: string): Promise<boolean> {
  try {
    return (await readFile(path.join('/proc', String(pid), 'environ'), 'utf8')).split('\0').includes(entry);
  } catch {
    // gone meanwhile, or another user's
    return false;
  }
}
