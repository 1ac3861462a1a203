import { mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';

/** Another process may remove, or make, one of the folders meanwhile. */
const TRIES = 5;

/**
 * Makes a folder with its parents where they are not there, and gives those that it made, outermost first. Node's own
 * recursive mkdir never returns where the system says ENOENT below a parent that is there, as in /proc: here that is thrown.
 */
export function makeFolder(folder: string, mode?: number): string[] {
  const made: string[] = [];
  for (let tries = 1; !isFolder(folder); tries++) {
    try {
      mkdirSync(folder, mode);
      made.push(folder);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      const isLast = tries === TRIES || (code !== 'ENOENT' && code !== 'EEXIST');
      if (isLast || folder === dirname(folder)) throw error;
      made.push(...makeFolder(dirname(folder), mode));
    }
  }
  return made;
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}
