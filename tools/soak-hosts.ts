// `make soak HOSTS=1`: every fault in every stage of a backup of three hosts, about a minute and a half each. Goes on where an
// earlier one stopped, and does again what failed; `ARGS="sstables"` does only the cases in whose name that is, and another
// part may be done beside it. The table goes to docs/hosts-matrix.md.
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { lastRows, MATRIX_STAGES, type MatrixRow } from '../lab/hosts/matrix-rows.ts';
import { runInside } from '../lab/hosts/run-inside.ts';

const OUT = path.resolve('soak');
const PAGE = path.resolve('docs', 'hosts-matrix.md');
const [only = ''] = process.argv.slice(2);
const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => stop.abort());

const exitCode = await runInside('test/lab/support/hosts-matrix.ts', [OUT, only], { signal: stop.signal });
const rows = await lastRows(path.join(OUT, 'hosts-matrix.ndjson'));
const good = rows.filter((r) => r.ok).length;
await writeFile(PAGE, pageOf(rows));
process.stdout.write(
  `${JSON.stringify({ soak: good === rows.length && exitCode === 0 ? 'ok' : 'failed', cases: rows.length, good })}\n`,
);
process.exitCode = good === rows.length && exitCode === 0 ? 0 : 1;

function pageOf(all: readonly MatrixRow[]): string {
  const names = all.map((r) => r.case.split(' / ') as [string, string]);
  const stages = MATRIX_STAGES.filter((stage) => names.some(([of]) => of === stage));
  const faults = [...new Set(names.map(([, fault]) => fault))];
  const cell = (stage: string, fault: string): string => {
    const row = all.find((r) => r.case === `${stage} / ${fault}`);
    if (row === undefined) return '';
    const ended = row.code === undefined ? (row.exitCode === 137 ? 'killed' : 'good') : `${row.code} (${row.exitCode})`;
    const gone = row.goneSeconds === undefined ? '' : `; agents gone after ${row.goneSeconds} s`;
    return `${ended}, ${row.seconds} s${gone}${row.ok ? '' : ` **FAILED** ${row.failed.join('; ')}`}`;
  };
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  const table = [
    line(['stage', ...faults]),
    line(['---', ...faults.map(() => '---')]),
    ...stages.map((stage) => line([stage, ...faults.map((fault) => cell(stage, fault))])),
  ];
  return `# Faults in every stage of a backup

Written by \`make soak HOSTS=1\`: three nodes, each a host of its own, one of which has the fault from the beginning of the stage on. A cell
says how the backup ended (a published backup is good; else its error and exit code) and when, and how long agents that the fault had
cut off from their controller took to clean up and leave. After each: the cluster is
healthy, no agent runs, no snapshot, pin or lease is left but those that only the next run can find, the next backup is good and
leaves none at all, and the first backup of all still has all that it needs.
${all.filter((r) => r.ok).length} of ${all.length} cases held. What is blank was not run yet.

${table.join('\n')}
`;
}
