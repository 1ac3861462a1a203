// Runs the vitest projects (all, or those named as arguments) and adds their counts up. Labs mostly wait: what needs no lab
// runs beside them, with less of the processor, and is told when it has ended.
// The very last line is `N passed, N failed`, with `, N skipped` where some were.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, open, readFile, rm } from 'node:fs/promises';
import { setPriority, tmpdir } from 'node:os';
import path from 'node:path';
import { ensureS3Program } from '../lab/ground/s3-program.ts';
import { addCounts, type Counts, countResults, summaryLine } from './test-counts.ts';

const LANES = [['unit', 'contract'], ['lab']];

const home = path.join(import.meta.dirname, '..');
const named = process.argv.slice(2);
const projects = LANES.flat();
const unknown = named.filter((name) => !projects.includes(name));
if (unknown.length > 0) throw new Error(`no such project: ${unknown.join(', ')}; there are ${projects.join(', ')}`);

const lanes = LANES.map((lane) => lane.filter((name) => named.length === 0 || named.includes(name)));
const folder = await mkdtemp(path.join(tmpdir(), 'skep-test-'));
// Built once, for minutes, while other tests run; the tests that start it have less time than that.
const s3Program = lanes.flat().includes('contract') ? ensureS3Program() : undefined;
s3Program?.catch(() => undefined);
// A terminal tells them itself; whoever ends this process alone must not leave labs behind.
const running = new Set<ChildProcess>();
process.on('SIGTERM', () => running.forEach((child) => child.kill('SIGINT')));
let sum;
try {
  sum = addCounts((await Promise.all(lanes.map(runLane))).flat());
} finally {
  await rm(folder, { recursive: true, force: true });
}
// Again at the end: of a long output often only the last lines are kept.
for (const failure of sum.failures) process.stdout.write(`${failure}\n`);
for (const complaint of sum.complaints) process.stdout.write(`${complaint}\n`);
process.exitCode = sum.failed > 0 || sum.complaints.length > 0 ? 1 : 0;
process.stdout.write(`${summaryLine(sum)}\n`);

async function runLane(lane: readonly string[]): Promise<Counts[]> {
  const counts: Counts[] = [];
  const beside = lanes.some((other) => other.length > 0 && !other.includes(lane[0] ?? '')) && !lane.includes('lab');
  for (const project of lane) {
    if (project === 'contract') await s3Program;
    counts.push(await runProject(project, beside));
  }
  return counts;
}

/** `beside` another lane: what is printed is kept until the end. */
async function runProject(project: string, beside: boolean): Promise<Counts> {
  const results = path.join(folder, `${project}.json`);
  const log = path.join(folder, `${project}.log`);
  const vitest = path.join(home, 'node_modules', 'vitest', 'vitest.mjs');
  const args = [vitest, 'run', '--project', project, '--reporter=default', '--reporter=json'];
  if (!beside) process.stdout.write(`\n== ${project}\n`);
  const output = beside ? await open(log, 'w') : undefined;
  const exit = await new Promise<string>((resolve, reject) => {
    const out = output?.fd ?? 'inherit';
    const child = spawn(process.execPath, [...args, `--outputFile.json=${results}`], {
      cwd: home,
      stdio: ['inherit', out, out],
    });
    if (beside && child.pid !== undefined) setPriority(child.pid, 10);
    running.add(child);
    child.once('error', reject);
    child.once('close', (code, signal) => {
      running.delete(child);
      resolve(String(code ?? signal));
    });
  });
  await output?.close();
  if (beside) process.stdout.write(`\n== ${project} (beside)\n${await readFile(log, 'utf8')}`);
  return countResults(project, exit, await readFile(results, 'utf8').catch(() => undefined));
}
