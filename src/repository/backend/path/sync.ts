import { execFile } from 'node:child_process';
import { closeSync, fsyncSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import { SkepError } from '../../../errors.ts';
import { makeFolder } from '../../../make-folder.ts';

const run = promisify(execFile);
/** What the C library says for ENOSPC and EDQUOT. */
const FULL = /No space left on device|Disk quota exceeded/;

/** Waits until everything written to the filesystem that holds `folder` is on its disk: one call for many files. */
export async function syncFilesystem(folder: string): Promise<void> {
  try {
    // Node has no syncfs(2); coreutils' `sync -f` reports a failed write-back, as the bare `sync` does not.
    await run('sync', ['-f', folder], { env: { ...process.env, LC_ALL: 'C' } });
  } catch (error) {
    // What was written is given its place on the disk only now, on a filesystem that delays that or is far away.
    const why = String((error as { stderr?: unknown }).stderr);
    if (FULL.test(why))
      throw new SkepError('no-space', `no space in the repository to sync ${folder}`, { cause: error });
    throw new SkepError('repository-failed', `cannot sync the filesystem of ${folder}`, { cause: error });
  }
}

export function syncFolder(folder: string): void {
  const fd = openSync(folder, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** Makes a folder with its parents; those that are new are durable when it returns. */
export function makeFolderDurable(folder: string): void {
  for (const made of makeFolder(folder).toReversed()) syncFolder(dirname(made));
}
