import type { Emit } from '../events.ts';

/** Tells when a stage begins and how long it took. */
export async function stage<T>(emit: Emit, name: string, text: string, work: () => Promise<T>): Promise<T> {
  const t0 = performance.now();
  emit({ type: 'stage-started', stage: name, text });
  const result = await work();
  emit({ type: 'stage-done', stage: name, ms: Math.round(performance.now() - t0) });
  return result;
}
