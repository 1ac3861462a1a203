import { SkepError } from '../index.ts';

/**
 * Runs work under a signal that the user's Ctrl-C (`cancelled`, exit 130) or a SIGTERM (`terminated`, 143) aborts; the
 * work cleans up and throws. A second signal ends at once.
 */
export async function interruptible<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const stop = (code: 'cancelled' | 'terminated') => () => {
    if (controller.signal.aborted) process.exit(code === 'cancelled' ? 130 : 143);
    controller.abort(new SkepError(code, `stopped by a signal`));
  };
  const [onInt, onTerm] = [stop('cancelled'), stop('terminated')];
  process.on('SIGINT', onInt);
  process.on('SIGTERM', onTerm);
  process.on('SIGHUP', onTerm);
  try {
    return await work(controller.signal);
  } catch (e) {
    // Whatever it then fails with follows from the signal.
    const reason: unknown = controller.signal.reason;
    if (!(reason instanceof SkepError) || (e instanceof SkepError && e.code === reason.code)) throw e;
    throw new SkepError(reason.code, reason.message, { cause: e });
  } finally {
    process.off('SIGINT', onInt);
    process.off('SIGTERM', onTerm);
    process.off('SIGHUP', onTerm);
  }
}
