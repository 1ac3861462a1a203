import { existsSync } from 'node:fs';
import { appendFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { sentMicros } from './clock.ts';
import type { Line } from './model.ts';

const RESTORES_FILE = 'restores.ndjson';

/** Every file of a ledger folder that a proof has to read: the runs, oldest first, and the restores. */
export async function ledgerFiles(ledgerDir: string): Promise<string[]> {
  const restores = join(ledgerDir, RESTORES_FILE);
  const runs = (await runsOf(ledgerDir, 'run')).map((run) => runFile(ledgerDir, 'run', run));
  return existsSync(restores) ? [...runs, restores] : runs;
}

/** The files of the side table's load, for its own proof. */
export async function sideFiles(ledgerDir: string): Promise<string[]> {
  const restores = join(ledgerDir, RESTORES_FILE);
  const runs = (await runsOf(ledgerDir, 'side')).map((run) => runFile(ledgerDir, 'side', run));
  return existsSync(restores) ? [...runs, restores] : runs;
}

/** A run that no earlier load of this folder was, and its file. */
export async function nextRun(ledgerDir: string, kind: 'run' | 'side'): Promise<{ run: number; ledgerFile: string }> {
  const run = 1 + Math.max(0, ...(await runsOf(ledgerDir, kind)));
  return { run, ledgerFile: runFile(ledgerDir, kind, run) };
}

/**
 * Notes that the cluster was restored to `T` (microseconds) just now: what runs until now sent after it is gone for
 * good, also for proofs of later moments. Only for a ledger folder that lives on, as in a soak.
 */
export async function noteRestore(ledgerDir: string, T: bigint): Promise<void> {
  const line: Line = { t: 'restored', T: Number(T), atUs: sentMicros() };
  await appendFile(join(ledgerDir, RESTORES_FILE), JSON.stringify(line) + '\n', { flush: true });
}

async function runsOf(ledgerDir: string, kind: 'run' | 'side'): Promise<number[]> {
  const pattern = new RegExp(`^${kind}-(\\d+)\\.ndjson$`);
  const runs = (await readdir(ledgerDir)).flatMap((name) => pattern.exec(name)?.slice(1).map(Number) ?? []);
  return runs.sort((a, b) => a - b);
}

function runFile(ledgerDir: string, kind: 'run' | 'side', run: number): string {
  return join(ledgerDir, `${kind}-${String(run).padStart(4, '0')}.ndjson`);
}
