import type { KillResult } from './kill-matrix.ts';
import type { Operation } from './operations.ts';

/** `SKEP_TORTURE=full`: at every step; else before the first and after the last of each kind. */
export const FEW = process.env['SKEP_TORTURE'] !== 'full';

/** Says how many kills there were; gives what was wrong, with where. */
export function told(op: Operation, where: string, results: readonly KillResult[]): string[] {
  const done = results.filter((result) => result.done).length;
  console.log(`${op.name} on ${where}: killed at ${results.length} failpoints, at ${done} of them after it was done`);
  return results.flatMap(({ failpoint: { step, occurrence, phase }, complaints }) =>
    complaints.map((complaint) => `${phase} of ${step} (${occurrence}): ${complaint}`),
  );
}
