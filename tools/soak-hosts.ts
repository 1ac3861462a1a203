// `make soak HOSTS=1`: every fault in every stage of a backup of three hosts, about a minute and a half each. Goes on where an
// earlier one stopped; `ARGS="sstables"` does only the cases in whose name that is. The table goes to soak/hosts-matrix.md.
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { runInside } from '../lab/hosts/run-inside.ts';

const OUT = path.resolve('soak');
const [only = ''] = process.argv.slice(2);
const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => stop.abort());

interface Row {
  case: string;
  exitCode: number;
  code?: string;
  seconds: number;
  left: string[];
  ok: boolean;
}

const exitCode = await runInside('test/lab/support/hosts-matrix.ts', [OUT, only], { signal: stop.signal });
const text = await readFile(path.join(OUT, 'hosts-matrix.ndjson'), 'utf8').catch(() => '');
const rows = text.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line) as Row]));
const table = rows.map(
  (r) =>
    `| ${r.case} | ${r.exitCode} ${r.code ?? ''} | ${r.seconds} s | ${r.ok ? 'ok' : `FAILED ${r.left.join(', ')}`} |`,
);
const head = ['| stage / fault | how the backup ended | after | then |', '|---|---|---|---|'];
await writeFile(path.join(OUT, 'hosts-matrix.md'), `${[...head, ...table].join('\n')}\n`);
const good = rows.filter((r) => r.ok).length;
process.stdout.write(
  `${JSON.stringify({ soak: good === rows.length && exitCode === 0 ? 'ok' : 'failed', cases: rows.length, good })}\n`,
);
process.exitCode = good === rows.length && exitCode === 0 ? 0 : 1;
