// Runs the vitest projects one after the other (all, or those named as arguments) and adds their counts up.
// The very last line is `N passed, N failed`, with `, N skipped` where some were.
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { addCounts, type Counts, countResults, summaryLine } from './test-counts.ts';

const PROJECTS = ['unit', 'contract', 'lab'];

const home = path.join(import.meta.dirname, '..');
const named = process.argv.slice(2);
const unknown = named.filter((name) => !PROJECTS.includes(name));
if (unknown.length > 0) throw new Error(`no such project: ${unknown.join(', ')}; there are ${PROJECTS.join(', ')}`);

const folder = await mkdtemp(path.join(tmpdir(), 'skep-test-'));
const counts: Counts[] = [];
try {
  for (const project of PROJECTS.filter((name) => named.length === 0 || named.includes(name))) {
    process.stdout.write(`\n== ${project}\n`);
    counts.push(await runProject(project));
  }
} finally {
  await rm(folder, { recursive: true, force: true });
}
const sum = addCounts(counts);
for (const complaint of sum.complaints) process.stdout.write(`${complaint}\n`);
process.exitCode = sum.failed > 0 || sum.complaints.length > 0 ? 1 : 0;
process.stdout.write(`${summaryLine(sum)}\n`);

async function runProject(project: string): Promise<Counts> {
  const results = path.join(folder, `${project}.json`);
  const vitest = path.join(home, 'node_modules', 'vitest', 'vitest.mjs');
  const args = [vitest, 'run', '--project', project, '--reporter=default', '--reporter=json'];
  const exit = await new Promise<string>((resolve, reject) => {
    const child = spawn(process.execPath, [...args, `--outputFile.json=${results}`], { cwd: home, stdio: 'inherit' });
    child.once('error', reject);
    child.once('close', (code, signal) => resolve(String(code ?? signal)));
  });
  return countResults(project, exit, await readFile(results, 'utf8').catch(() => undefined));
}
