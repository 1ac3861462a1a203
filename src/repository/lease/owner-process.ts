import { readFileSync, readlinkSync } from 'node:fs';

/**
 * Names a process beyond its pid: boot, pid namespace, pid, start time. Whoever is in the same namespace can tell for
 * sure whether it still runs. Undefined where the system does not tell.
 */
export function processMark(pid: number = process.pid): string | undefined {
  try {
    const started = statOf(pid)?.started;
    return started === undefined ? undefined : `${placeOf()}/${pid}/${started}`;
  } catch {
    return undefined;
  }
}

/** True only when that process was in this one's namespace and has ended; of any other nothing is known. */
export function isGone(mark: string | undefined): boolean {
  const [, place, pid, started] = /^(.+)\/(\d+)\/(\d+)$/.exec(mark ?? '') ?? [];
  try {
    if (place === undefined || place !== placeOf()) return false;
    // Not by /proc alone, which may hide what others run.
    if (!exists(Number(pid))) return true;
    const now = statOf(Number(pid));
    return now !== undefined && (now.ended || now.started !== started);
  } catch {
    return false;
  }
}

/** The number of a namespace is used again only when nothing is left in it. Throws where it cannot be told. */
function placeOf(): string {
  // Not so in a namespace that sees the processes of another one.
  if (Number.parseInt(readFileSync('/proc/self/stat', 'utf8'), 10) !== process.pid) throw new Error('another /proc');
  return `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()}/${readlinkSync('/proc/self/ns/pid')}`;
}

function exists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (e) {
    return (e as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}

/** Start time in clock ticks since boot; the name before these fields may hold anything (proc(5)). */
function statOf(pid: number): { started: string | undefined; ended: boolean } | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return { started: fields[19], ended: fields[0] === 'Z' || fields[0] === 'X' };
  } catch {
    return undefined;
  }
}
