import { randomBytes } from 'node:crypto';
import { link, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { z } from 'zod';

const holderSchema = z.object({ pid: z.number().int(), started: z.string() });
export type Holder = z.output<typeof holderSchema>;

/**
 * Takes a lock file for this process; gives what releases it, or the process that holds it. A holder that has ended, by
 * a kill or with its machine, holds nothing. Only for processes of one machine.
 */
export async function takeLock(file: string): Promise<{ release(): Promise<void> } | { holder: Holder }> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  const own = `${file}.${randomBytes(6).toString('hex')}`;
  const text = JSON.stringify({ pid: process.pid, started: (await startOf(process.pid)) ?? '' });
  await writeFile(own, text, { mode: 0o600 });
  try {
    for (;;) {
      try {
        // A link is made whole or not at all, and never over another one.
        await link(own, file);
        return { release: () => releaseLock(file, text) };
      } catch (e) {
        if ((e as NodeJS.ErrnoException).code !== 'EEXIST') throw e;
      }
      const found = await readIfThere(file);
      const holder = found === undefined ? undefined : parse(found);
      if (holder && (await startOf(holder.pid)) === holder.started) return { holder };
      if (found !== undefined) await removeDead(file, found, own);
    }
  } finally {
    await rm(own, { force: true });
  }
}

async function releaseLock(file: string, text: string): Promise<void> {
  if ((await readIfThere(file)) === text) await rm(file, { force: true });
}

/** Two processes may find the same dead holder: the slower one must not take away the lock of the quicker one. */
async function removeDead(file: string, dead: string, own: string): Promise<void> {
  const taken = `${own}.dead`;
  try {
    await rename(file, taken);
    if ((await readIfThere(taken)) !== dead) await link(taken, file).catch(() => {});
  } catch (e) {
    if ((e as NodeJS.ErrnoException).code !== 'ENOENT') throw e;
  } finally {
    await rm(taken, { force: true });
  }
}

function parse(text: string): Holder | undefined {
  try {
    return holderSchema.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}

async function readIfThere(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8');
  } catch (e) {
    if ((e as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw e;
  }
}

/** When a process began, in ticks since the boot, with the boot's id; undefined when there is no such process. */
async function startOf(pid: number): Promise<string | undefined> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    const boot = (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
    // proc(5): the state is field 3, the start field 22; the name before them may hold blanks and parentheses itself.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' || fields[0] === 'X' ? undefined : `${boot} ${fields[19]}`;
  } catch {
    return undefined;
  }
}
