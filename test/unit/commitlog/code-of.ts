import { SkepError } from '../../../src/errors.ts';

/** The code of the SkepError that `f` throws; anything else that is thrown goes through. */
export function codeOf(f: () => unknown): string | undefined {
  try {
    f();
  } catch (e) {
    if (e instanceof SkepError) return e.code;
    throw e;
  }
  return undefined;
}
