import { z } from 'zod';

/** What a run of tests came to. A complaint is a failure that is no failed test. */
export interface Counts {
  passed: number;
  failed: number;
  skipped: number;
  complaints: string[];
}

/** The part of vitest's JSON report that is read. */
const report = z.object({
  numPassedTests: z.number(),
  numFailedTests: z.number(),
  numPendingTests: z.number(),
  numTodoTests: z.number(),
});

/** Counts of one project from vitest's exit (code or signal) and JSON report; `undefined` when it wrote none. */
export function countResults(project: string, exit: string, json: string | undefined): Counts {
  if (json === undefined) {
    return {
      passed: 0,
      failed: 0,
      skipped: 0,
      complaints: [`${project}: the runner ended with ${exit} and no report`],
    };
  }
  const found = report.parse(JSON.parse(json));
  const counts: Counts = {
    passed: found.numPassedTests,
    failed: found.numFailedTests,
    skipped: found.numPendingTests + found.numTodoTests,
    complaints: [],
  };
  if (counts.passed + counts.failed === 0) counts.complaints.push(`${project}: no test was run`);
  // a file that cannot be loaded or an unhandled rejection fails the run, but no test
  if (exit !== '0' && counts.failed === 0) counts.complaints.push(`${project}: the runner ended with ${exit}`);
  return counts;
}

export function addCounts(all: readonly Counts[]): Counts {
  const sum: Counts = { passed: 0, failed: 0, skipped: 0, complaints: [] };
  for (const one of all) {
    sum.passed += one.passed;
    sum.failed += one.failed;
    sum.skipped += one.skipped;
    sum.complaints.push(...one.complaints);
  }
  return sum;
}

/** `N passed, N failed[, N skipped]`; each complaint counts as a failure, so that no reader takes the run for good. */
export function summaryLine(sum: Counts): string {
  const line = `${sum.passed} passed, ${sum.failed + sum.complaints.length} failed`;
  return sum.skipped === 0 ? line : `${line}, ${sum.skipped} skipped`;
}
