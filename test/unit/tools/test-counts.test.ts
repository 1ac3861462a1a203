import { expect, it } from 'vitest';
import { addCounts, countResults, summaryLine } from '../../../tools/test-counts.ts';

function report(passed: number, failed: number, skipped = 0): string {
  return JSON.stringify({ numPassedTests: passed, numFailedTests: failed, numPendingTests: skipped, numTodoTests: 0 });
}

it('adds the projects up', () => {
  const sum = addCounts([countResults('unit', '0', report(5, 0, 1)), countResults('lab', '1', report(2, 3))]);
  expect(summaryLine(sum)).toBe('7 passed, 3 failed, 1 skipped');
  expect(sum.complaints).toEqual([]);
});

it('leaves skipped tests out of the line when there are none', () => {
  expect(summaryLine(countResults('unit', '0', report(5, 0)))).toBe('5 passed, 0 failed');
});

it.each([
  ['wrote no report', '139', undefined],
  ['ran no test', '0', report(0, 0)],
  ['skipped every test', '0', report(0, 0, 4)],
  ['failed outside of a test', '1', report(5, 0)],
  ['was killed', 'SIGKILL', report(5, 0)],
])('counts a runner that %s as a failure', (_, exit, json) => {
  const counts = countResults('lab', exit, json);
  expect(counts.complaints).toHaveLength(1);
  expect(summaryLine(counts)).toContain(' 1 failed');
});

it('tells at the end which tests have failed, and of what', () => {
  const failed = {
    ...(JSON.parse(report(1, 1)) as object),
    testResults: [
      {
        message: '',
        assertionResults: [
          { fullName: 'a cluster comes back', status: 'failed', failureMessages: ['Error: no answer\n    at here'] },
          { fullName: 'a cluster goes', status: 'passed', failureMessages: [] },
        ],
      },
    ],
  };
  const sum = addCounts([countResults('lab', '1', JSON.stringify(failed))]);
  expect(sum.failures).toEqual(['FAILED lab > a cluster comes back\n  Error: no answer\n      at here']);
});
