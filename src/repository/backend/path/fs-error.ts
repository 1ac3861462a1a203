import { statfsSync } from 'node:fs';
import { dirname } from 'node:path';
import { SkepError } from '../../../errors.ts';

/** A failure of the filesystem that holds the repository as a typed error. `what` reads like "write objects/ab/…". */
export function repositoryFsError(error: unknown, what: string): SkepError {
  if (error instanceof SkepError) return error;
  const code = errnoCode(error);
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    const hint = code === 'ENOSPC' ? hintOfInodes((error as NodeJS.ErrnoException).path) : undefined;
    return new SkepError('no-space', `no space in the repository to ${what}`, {
      ...(hint === undefined ? {} : { hint }),
      cause: error,
    });
  }
  const { path, syscall } = error as NodeJS.ErrnoException;
  // Below a folder that is there, as in /proc.
  if (code === 'ENOENT' && syscall === 'mkdir') {
    return new SkepError('repository-failed', `cannot ${what}: no folder can be made at ${path}`, {
      hint: 'Name a folder on a filesystem that holds files of users, then run the command again.',
      cause: error,
    });
  }
  if (code === 'ENOENT') return new SkepError('object-missing', `nothing there to ${what}`, { cause: error });
  return new SkepError('repository-failed', `cannot ${what}: ${code ?? String(error)}`, { cause: error });
}

/** A disk may have room and no inode for one more file; what makes files tells their path. */
function hintOfInodes(path: string | undefined): string | undefined {
  if (path === undefined) return undefined;
  try {
    const { files, ffree } = statfsSync(dirname(path));
    // Filesystems that make inodes as they are needed say that there are none at all.
    if (files === 0 || ffree > 0) return undefined;
  } catch {
    return undefined;
  }
  return 'All inodes of that filesystem are in use, see `df -i`: remove files from it, many rather than large ones, then run the command again.';
}

/** `ENOENT` and the like, if the value has one. */
export function errnoCode(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : undefined;
}
