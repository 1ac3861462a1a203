import type { Emit } from '../events.ts';
import type { RunLog } from '../repository/index.ts';

/** Tells when a stage begins and how long it took. */
export async function stage<T>(emit: Emit, name: string, text: string, work: () => Promise<T>): Promise<T> {
  const t0 = performance.now();
  emit({ type: 'stage-started', stage: name, text });
  const result = await work();
  emit({ type: 'stage-done', stage: name, ms: Math.round(performance.now() - t0) });
  return result;
}

/** The log is a record: what it was a record of did not fail with it. */
export async function endLog(log: RunLog, emit: Emit): Promise<void> {
  const error = await log.flush();
  if (error) emit({ type: 'warning', text: `the log of this run is not whole: ${error.message}` });
}
