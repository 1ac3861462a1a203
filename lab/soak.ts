// `make soak [N=20]`: cut, restore and proof again and again in one lab, each round with another seed: one node's snapshot
// is five seconds late, memtables are flushed and segments vanish during the cut, a table is truncated before and after
// the snapshot; every fifth round loses everything before the restore. Goes on where an earlier soak stopped.
import { appendFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { type Lab, labUp } from './index.ts';
import { noteRestore, sideFiles } from './ledger/ledger-folder.ts';
import { labEndpoints } from './load/lab-endpoints.ts';
import { runSideLoad, type SideLoad } from './load/side-table.ts';
import { isProven, type ProofReport } from './proof/report.ts';
import { proveSideTable } from './proof/side-check.ts';
import { churn, configWithLateSnapshot } from './scenarios/disturbance.ts';
import { narrator } from './scenarios/narrator.ts';
import { type Backup, Trial } from './scenarios/trial.ts';

const LOAD_MS = 20_000;
const LATE_SECONDS = 5;
const LOSS_EVERY = 5;

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '20' },
    seed: { type: 'string', default: 'soak' },
    out: { type: 'string', default: 'soak' },
    name: { type: 'string', default: 'soak' },
    shift: { type: 'string', default: '0' },
    cassandra: { type: 'string', default: '4.1.10' },
    elasticsearch: { type: 'string', default: '8.19.0' },
  },
});

interface Row extends ProofReport {
  round: number;
  seed: string;
  cassandra: string;
  elasticsearch: string;
  loss: boolean;
  attempts: number;
  side_missing: number;
  side_extra: number;
  backup_s: number;
  restore_s: number;
  ok: boolean;
}

const say = narrator();
process.exitCode = await main();

async function main(): Promise<number> {
  await mkdir(values.out, { recursive: true });
  const done = await rowsDone();
  const rounds = Number(values.rounds);
  if (done.length < rounds) {
    const lab = await labUp({
      name: values.name,
      shift: Number(values.shift),
      cassandra: values.cassandra as '4.1.10',
      elasticsearch: values.elasticsearch as '8.19.0',
      owner: process.pid,
      onProgress: (line) => say(`    ${line.trim()}`),
    });
    try {
      for (let n = done.length + 1; n <= rounds; n++) {
        const row = await round(lab, n);
        done.push(row);
        await appendFile(rowsFile(), `${JSON.stringify(row)}\n`);
        await writeTable(done);
        if (!row.ok) break;
      }
    } finally {
      await lab.down();
    }
  }
  const good = done.filter((r) => r.ok).length;
  process.stdout.write(`${JSON.stringify({ soak: good === rounds ? 'ok' : 'failed', rounds, good })}\n`);
  return good === rounds ? 0 : 1;
}

async function round(lab: Lab, n: number): Promise<Row> {
  const seed = `${values.seed}-${n}`;
  const late = lab.nodes[n % lab.nodes.length]?.name ?? 'n1';
  const config = await configWithLateSnapshot(lab, late, LATE_SECONDS);
  say(`round ${n}: snapshot of ${late} ${LATE_SECONDS} s late`);
  const trial = new Trial(lab, { seed, say, config });
  await trial.ensureRepository();
  const endpoints = await labEndpoints(lab.record);
  await trial.startLoad();
  const side = await runSideLoad({ endpoints, ledgerDir: lab.record.ledger });
  let backup: Backup;
  try {
    await delay(LOAD_MS);
    await side.truncate();
    await delay(2_000);
    const churning = await churn(lab);
    try {
      backup = await trial.backup({ onStage: (stage) => truncateAfterSnapshot(stage, side) });
    } finally {
      await churning.stop();
    }
    await delay(2_000);
  } finally {
    await side.stop();
    await trial.stopLoad();
  }
  const loss = n % LOSS_EVERY === 0;
  if (loss) await lab.destroy();
  const restored = await trial.restore(backup.id, ['--verify', 'presence']);
  const { report, findings } = await trial.prove(backup.T);
  const rows = await proveSideTable({ endpoints, files: await sideFiles(lab.record.ledger), T: BigInt(backup.T) });
  for (const [kind, list] of Object.entries({ ...findings, side_missing: rows.missing, side_extra: rows.extra })) {
    for (const f of list.slice(0, 10)) say(`${kind}: ${f}`);
  }
  await noteRestore(lab.record.ledger, BigInt(backup.T));
  const ok = isProven(report) && rows.missing.length === 0 && rows.extra.length === 0 && rows.required > 0;
  say(`round ${n}: ${ok ? 'proven' : 'FAILED'} ${JSON.stringify(report)}`);
  return {
    round: n,
    seed,
    cassandra: values.cassandra,
    elasticsearch: values.elasticsearch,
    loss,
    attempts: backup.attempts,
    ...report,
    side_missing: rows.missing.length,
    side_extra: rows.extra.length,
    backup_s: backup.seconds,
    restore_s: Number(restored.result.seconds),
    ok,
  };
}

/** When the linger begins, `T` is past and the snapshots are made: rows truncated now belong to the backup. */
async function truncateAfterSnapshot(stage: string, side: SideLoad): Promise<void> {
  if (stage === 'linger') await side.truncate();
}

function rowsFile(): string {
  return join(values.out, `rounds-${values.cassandra}-${values.elasticsearch}-${values.seed}.ndjson`);
}

/** Rounds of an earlier soak that were good; a failed one is taken again. */
async function rowsDone(): Promise<Row[]> {
  const text = await readFile(rowsFile(), 'utf8').catch(() => '');
  const rows = text
    .split('\n')
    .filter((l) => l !== '')
    .map((l) => JSON.parse(l) as Row);
  return rows.filter((r) => r.ok);
}

async function writeTable(rows: readonly Row[]): Promise<void> {
  const keys = Object.keys(rows[0] ?? {}) as (keyof Row)[];
  const line = (cells: unknown[]) => `| ${cells.join(' | ')} |`;
  const table = [line(keys), line(keys.map(() => '---')), ...rows.map((r) => line(keys.map((k) => r[k])))];
  await writeFile(rowsFile().replace(/ndjson$/, 'md'), `${table.join('\n')}\n`);
}
