import { z } from 'zod';

/** What a run of tests came to. A complaint is a failure that is no failed test. */
export interface Counts {
  passed: number;
  failed: number;
  skipped: number;
  complaints: string[];
  /** Each test that failed, with the beginning of what it said. */
  failures: string[];
}

/** Lines of a failure that are told again at the end of a run. */
const TOLD_LINES = 12;

/** The part of vitest's JSON report that is read. */
const report = z.object({
  numPassedTests: z.number(),
  numFailedTests: z.number(),
  numPendingTests: z.number(),
  numTodoTests: z.number(),
  testResults: z
    .array(
      z.object({
        message: z.string().optional(),
        assertionResults: z.array(
          z.object({ fullName: z.string(), status: z.string(), failureMessages: z.array(z.string()).optional() }),
        ),
      }),
    )
    .default([]),
});

/** Counts of one project from vitest's exit (code or signal) and JSON report; `undefined` when it wrote none. */
export function countResults(project: string, exit: string, json: string | undefined): Counts {
  if (json === undefined) {
    return {
      passed: 0,
      failed: 0,
      skipped: 0,
      failures: [],
      complaints: [`${project}: the runner ended with ${exit} and no report`],
    };
  }
  const found = report.parse(JSON.parse(json));
  const counts: Counts = {
    passed: found.numPassedTests,
    failed: found.numFailedTests,
    skipped: found.numPendingTests + found.numTodoTests,
    complaints: [],
    failures: found.testResults.flatMap(({ message, assertionResults }) => [
      ...(message ? [told(project, 'a file', message)] : []),
      ...assertionResults
        .filter(({ status }) => status === 'failed')
        .map(({ fullName, failureMessages }) => told(project, fullName, failureMessages?.join('\n') ?? '')),
    ]),
  };
  if (counts.passed + counts.failed === 0) counts.complaints.push(`${project}: no test was run`);
  // a file that cannot be loaded or an unhandled rejection fails the run, but no test
  if (exit !== '0' && counts.failed === 0) counts.complaints.push(`${project}: the runner ended with ${exit}`);
  return counts;
}

export function addCounts(all: readonly Counts[]): Counts {
  const sum: Counts = { passed: 0, failed: 0, skipped: 0, complaints: [], failures: [] };
  for (const one of all) {
    sum.passed += one.passed;
    sum.failed += one.failed;
    sum.skipped += one.skipped;
    sum.complaints.push(...one.complaints);
    sum.failures.push(...one.failures);
  }
  return sum;
}

function told(project: string, name: string, message: string): string {
  return `FAILED ${project} > ${name}\n  ${message.split('\n').slice(0, TOLD_LINES).join('\n  ')}`;
}

/** `N passed, N failed[, N skipped]`; each complaint counts as a failure, so that no reader takes the run for good. */
export function summaryLine(sum: Counts): string {
  const line = `${sum.passed} passed, ${sum.failed + sum.complaints.length} failed`;
  return sum.skipped === 0 ? line : `${line}, ${sum.skipped} skipped`;
}
