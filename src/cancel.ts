import { SkepError } from './errors.ts';

/** Throws the signal's own SkepError, or `cancelled`. */
export function throwIfCancelled(signal: AbortSignal | undefined): void {
  if (signal?.aborted !== true) return;
  if (signal.reason instanceof SkepError) throw signal.reason;
  throw new SkepError('cancelled', 'the run was cancelled', { cause: signal.reason });
}
