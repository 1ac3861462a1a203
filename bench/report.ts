import { readFileSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { cpus, release, totalmem } from 'node:os';
import { join } from 'node:path';
import { format } from 'prettier';
import type { Row } from './row.ts';
import { WHYS } from './whys.ts';

const RESULTS = join(import.meta.dirname, 'results.json');
const PAGE = join(import.meta.dirname, '..', 'docs', 'benchmarks.md');

/** The last full-sized result of each row, with the machine that it is from. */
type Results = Record<string, Row & { at: string; machine: string }>;

export async function keepRow(row: Row): Promise<void> {
  const results = await readResults();
  results[row.bench] = { ...row, at: new Date().toISOString().slice(0, 16), machine: machine() };
  await writeFile(RESULTS, `${JSON.stringify(results, undefined, 2)}\n`);
}

/** `docs/benchmarks.md` out of the kept results. */
export async function writePage(): Promise<void> {
  const all = Object.values(await readResults());
  const machines = [...new Set(all.map((r) => r.machine))];
  const rows = all.map(({ bench, ratio, ours_s, peer_s, n, bar, at, machine: on }) => {
    const against = bar === undefined ? '' : `${bar}${ratio <= bar ? '' : ' (missed)'}`;
    return `| \`${bench}\` | ${[ratio, against, ours_s, peer_s, n, at, machines.indexOf(on) + 1].join(' | ')} |`;
  });
  const page = [
    '# Benchmarks',
    '',
    'Written by `make bench` from its own results; not edited by hand. `ratio` is our time over that of the peer on the same data: both run',
    'by turns, the times are medians of `n` runs, from the start of a process to its exit.',
    '',
    ...machines.map((m, i) => `Machine ${i + 1}: ${m}.  `),
    '',
    '| row | ratio | bar | ours (s) | peer (s) | n | at (UTC) | machine |',
    '|---|---|---|---|---|---|---|---|',
    ...rows,
    '',
    '## Settings, and what else was seen',
    '',
    '`cpu_s` is the CPU time of all cores, `load` the load average at the end: other work on the machine disturbs times, CPU times less so.',
    '`caches warm`: all that is read was read just before. `rss_mb` is the most memory that our process had, `written_mb` what it wrote,',
    '`blocks_mb` the blocks that changed on the disk by that, those of folders and inodes too.',
    '',
    ...all.map((row) => `- \`${row.bench}\`: ${detailsOf(row)}`),
    '',
    ...whysOf(all),
  ];
  await writeFile(PAGE, await format(page.join('\n'), { parser: 'markdown' }));
}

/** Of the rows that miss their bar: why, and what the limit is. */
function whysOf(rows: readonly Row[]): string[] {
  const missed = rows.filter(({ ratio, bar }) => bar !== undefined && ratio > bar);
  if (missed.length === 0) return [];
  const told = missed.map(({ bench }) => `- \`${bench}\`: ${WHYS[bench] ?? 'not looked into yet'}`);
  return ['## Bars that are missed, and why', '', ...told, ''];
}

/** Columns of the table; the rest of a row is told below it. */
const COLUMNS = new Set(['bench', 'ratio', 'ours_s', 'peer_s', 'n', 'bar', 'at', 'machine']);

function detailsOf({ settings, ...row }: Results[string]): string {
  const rest = Object.entries(row).filter(([key]) => !COLUMNS.has(key));
  const numbers = rest.map(([key, value]) => `${key} ${String(value)}`).join(', ');
  return settings === undefined ? numbers : `${String(settings)}. ${numbers}`;
}

async function readResults(): Promise<Results> {
  try {
    return JSON.parse(await readFile(RESULTS, 'utf8')) as Results;
  } catch (e) {
    if ((e as NodeJS.ErrnoException).code === 'ENOENT') return {};
    throw e;
  }
}

function machine(): string {
  const [cpu] = cpus();
  const gib = Math.round(totalmem() / 2 ** 30);
  return `${cpus().length} cores ${cpu?.model ?? ''}, ${gib} GiB, Linux ${release()}, ${filesystem()}, Node ${process.version}`;
}

/** Of the folder that the rows work in. */
function filesystem(): string {
  const mounts = readFileSync('/proc/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' '));
  const folder = process.env['SKEP_BENCH_DIR'] ?? '/var/tmp';
  const on = mounts.filter(([, at = '-']) => at === '/' || folder === at || folder.startsWith(`${at}/`));
  return on.sort(([, a = ''], [, b = '']) => b.length - a.length)[0]?.[2] ?? 'unknown filesystem';
}
