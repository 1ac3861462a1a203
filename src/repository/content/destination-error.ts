import { SkepError } from '../../errors.ts';
import { errnoCode } from '../backend/path/fs-error.ts';

/** A failure to write a file outside the repository as a typed error. */
export function destinationError(error: unknown, path: string): SkepError {
  if (error instanceof SkepError) return error;
  const code = errnoCode(error);
  const context = { path };
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new SkepError('no-space', `no space to write ${path}`, { cause: error, context });
  }
  return new SkepError('restore-failed', `cannot write ${path}: ${code}`, { cause: error, context });
}
