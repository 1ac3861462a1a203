import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { makeFolder } from '../../../make-folder.ts';
import { errnoCode, repositoryFsError } from './fs-error.ts';

/** A single key is written in a moment; what is there for a day belongs to a process that was killed. */
const OLD_MS = 86_400_000;

/** Removes from the folder of single writes what is old by the filesystem's own clock; gives how many files. */
export function clearOldWrites(folder: string): number {
  const marker = join(folder, `now-${randomBytes(8).toString('hex')}`);
  try {
    makeFolder(folder);
    fs.writeFileSync(marker, '');
    const now = fs.statSync(marker).mtimeMs;
    let removed = 0;
    for (const name of fs.readdirSync(folder)) {
      const path = join(folder, name);
      const stat = fs.statSync(path, { throwIfNoEntry: false });
      if (stat === undefined || now - stat.mtimeMs < OLD_MS) continue;
      fs.rmSync(path, { force: true, recursive: true });
      removed++;
    }
    return removed;
  } catch (error) {
    // Another run clears too.
    if (errnoCode(error) === 'ENOENT') return 0;
    throw repositoryFsError(error, `clear ${folder}`);
  } finally {
    fs.rmSync(marker, { force: true });
  }
}
