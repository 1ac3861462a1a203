import { mkdir, readdir, readFile, rm, rmdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { SkepError } from '../../src/errors.ts';
import { DEFAULT_PARENT } from '../layout.ts';
import { endProcesses } from '../services/end-processes.ts';
import { findByEnvironment, isAlive, type ProcessIdentity, runningProcesses } from '../services/process-identity.ts';
import { LAB_ID, readRuns } from '../services/spec.ts';

/** Marks a folder as a lab's; written first and removed last, so that also a half-made lab can be cleaned. */
const MARKER = '.skep-lab';

/** Claims a folder for a lab. It must be absent or empty. */
export async function claimFolder(root: string, labId: string): Promise<void> {
  await mkdir(root, { recursive: true, mode: 0o755 });
  await writeFile(path.join(root, MARKER), labId);
}

/**
 * Ends every process of the lab in a folder and removes the folder; nothing happens when there is none.
 * The processes are found by the records of the lab, by its mark in their environment, and as descendants of both.
 * `spare` are processes that go on, such as the watchdog that calls this.
 */
export async function removeLab(root: string, spare: readonly number[] = []): Promise<boolean> {
  const names = await readdir(root).catch((e: NodeJS.ErrnoException) => {
    if (e.code === 'ENOENT') return undefined;
    throw e;
  });
  if (names === undefined) return false;
  if (names.length > 0 && !names.includes(MARKER)) {
    throw new SkepError('usage', `not the folder of a lab: ${root}`, {
      hint: 'Choose another folder with `--root`: a lab removes its folder when it goes down.',
    });
  }
  // processes may start others until they are dead: look again until none is left
  for (;;) {
    const found = (await processesOf(root, names.includes(MARKER))).filter((p) => !spare.includes(p.pid));
    if (found.length === 0) break;
    // the data is thrown away: there is nothing that a server should save
    await endProcesses(found, 0);
  }
  for (const name of await readdir(root)) {
    if (name !== MARKER) await rm(path.join(root, name), { recursive: true, force: true });
  }
  await rm(root, { recursive: true, force: true });
  // Ours as well, unless other labs are in it.
  if (path.dirname(root) === DEFAULT_PARENT) await rmdir(DEFAULT_PARENT).catch(() => undefined);
  return true;
}

/** Every running process that belongs to the lab in a folder. */
export async function processesOf(root: string, marked = true): Promise<ProcessIdentity[]> {
  const recorded = await readRuns(root);
  const id = marked ? (await readFile(path.join(root, MARKER), 'utf8')).trim() : '';
  const inEnvironment = id === '' ? [] : await findByEnvironment(LAB_ID, id);
  const alive = await Promise.all(recorded.map(isAlive));
  const roots = [...recorded.filter((_, i) => alive[i]), ...inEnvironment];
  return withDescendants(roots);
}

async function withDescendants(roots: readonly ProcessIdentity[]): Promise<ProcessIdentity[]> {
  const all = await runningProcesses();
  const wanted = new Map(roots.map((p) => [p.pid, p]));
  for (let grown = true; grown;) {
    grown = false;
    for (const candidate of all) {
      if (wanted.has(candidate.pid) || !wanted.has(candidate.parent)) continue;
      wanted.set(candidate.pid, candidate);
      grown = true;
    }
  }
  return [...wanted.values()].filter((p) => p.pid !== process.pid);
}
