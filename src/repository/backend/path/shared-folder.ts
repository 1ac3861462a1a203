import { copyFileSync, rmSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { isMainThread } from 'node:worker_threads';
import { makeFolder } from '../../../make-folder.ts';
import { errnoCode } from './fs-error.ts';
import { linkCreateOnly } from './link.ts';

/** Set-group-ID and write permission for the group: what is made in such a folder is meant for its whole group. */
const SHARED = 0o2020;

/**
 * With `become` several users write into one repository. Where its folder is shared by a group, what this process makes
 * from now on is open to the group as far as its own mode says so: the umask of a login would close it.
 */
export function honourSharedFolder(root: string): void {
  let mode: number;
  try {
    ({ mode } = statSync(root));
  } catch {
    // Absent, or out of reach: whatever is done with it next says so.
    return;
  }
  if ((mode & SHARED) === SHARED && isMainThread) process.umask(process.umask() & ~0o070);
}

/**
 * Puts a file that may be somebody else's under another name, without ever replacing. `fs.protected_hardlinks` keeps users
 * from linking files that they may not write: then it is copied, to `temporary` first.
 */
export function linkOrCopy(from: string, to: string, temporary: string): boolean {
  try {
    return linkCreateOnly(from, to);
  } catch (error) {
    if (errnoCode(error) !== 'EPERM') throw error;
  }
  try {
    makeFolder(dirname(temporary));
    copyFileSync(from, temporary);
    return linkCreateOnly(temporary, to);
  } finally {
    rmSync(temporary, { force: true });
  }
}
