import { SkepError } from '../../../errors.ts';

/** A failure of the filesystem that holds the repository as a typed error. `what` reads like "write objects/ab/…". */
export function repositoryFsError(error: unknown, what: string): SkepError {
  if (error instanceof SkepError) return error;
  const code = errnoCode(error);
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new SkepError('no-space', `no space in the repository to ${what}`, { cause: error });
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

/** `ENOENT` and the like, if the value has one. */
export function errnoCode(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : undefined;
}
