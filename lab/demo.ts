// `make demo`: the whole promise on real servers. Boots a lab, loads it, takes two hot backups under eight writers, loses
// everything, restores one of the two, and proves it against the ledger. The last line of stdout is JSON.
import { randomInt } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { type Lab, labUp } from './index.ts';
import { isProven, type Proof } from './proof/report.ts';
import { narrator } from './scenarios/narrator.ts';
import { type Backup, Trial } from './scenarios/trial.ts';

/** A window of the load without a backup, in ms: long enough for a p99. */
const QUIET_MS = 25_000;
const FILL_MS = 30_000;
/** Part of what the lab can do at full speed at which the writers go on during the measurements. */
const SHARE = 0.4;

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: String(randomInt(1_000_000)) },
    name: { type: 'string' },
    shift: { type: 'string', default: '0' },
    cassandra: { type: 'string', default: '4.1.10' },
    elasticsearch: { type: 'string', default: '8.19.0' },
    keep: { type: 'boolean', default: false },
    /** skep's executable: each node is then a host of its own. Only in namespaces of its own, see demo-hosts.ts. */
    hosts: { type: 'string' },
  },
});

const say = narrator();
const seed = Number(values.seed);
process.exitCode = await main();

async function main(): Promise<number> {
  say(`seed ${seed}: run it again with \`make demo ARGS="--seed ${seed}"\``);
  const lab = await labUp({
    name: values.name ?? (Number(values.shift) === 0 ? 'demo' : `demo-${values.shift}`),
    shift: Number(values.shift),
    cassandra: values.cassandra as '4.1.10',
    elasticsearch: values.elasticsearch as '8.19.0',
    ...(values.hosts === undefined ? {} : { hosts: { executable: values.hosts } }),
    onProgress: (line) => say(`    ${line.trim()}`),
    ...(values.keep ? {} : { owner: process.pid }),
  });
  try {
    return await story(lab);
  } finally {
    if (!values.keep) await lab.down();
  }
}

async function story(lab: Lab): Promise<number> {
  const trial = new Trial(lab, { seed: String(seed), say });
  await trial.ensureRepository();
  say('eight writers fill the cluster at full speed');
  const load = await trial.startLoad();
  const filling = Date.now();
  await delay(FILL_MS);
  const full = await load.stats({ fromMs: filling });
  const rate = Math.max(1, full.perSecond * SHARE);
  await load.setRate(rate);
  say(`${full.perSecond.toFixed(1)} transactions/s at full speed; from now on ${rate.toFixed(1)}/s`);
  // What was queued at full speed must not count as slow.
  await delay(5_000);
  const windows = [await quiet(), await quiet()] as const;
  say('first backup, the writers go on');
  const first = await trial.backup();
  say('more load');
  await delay(10_000);
  say('second backup: only what is new moves');
  const second = await trial.backup();
  await delay(3_000);
  const [before, control, during] = await Promise.all([
    load.stats(windows[0]),
    load.stats(windows[1]),
    load.stats({ fromMs: first.fromMs, toMs: first.toMs }),
  ]);
  await trial.stopLoad();
  say('losing everything: keyspace, tables, commit logs, indices, attachments');
  await lab.destroy();
  const chosen = seed % 2 === 0 ? first : second;
  say(`restoring the ${chosen === first ? 'first' : 'second'} backup, ${chosen.id}`);
  const restored = await trial.restore(chosen.id);
  say('proving it against the ledger, reading the graph through JanusGraph');
  const proof = await trial.prove(chosen.T);
  show(proof, { first, second, chosen });
  const { in_flight, ...counts } = proof.report;
  const line = {
    demo: isProven(proof.report) ? 'ok' : 'failed',
    ...counts,
    in_flight,
    linger_s: chosen.lingerSeconds,
    p99_ratio: ratio(during.p99Ms, control.p99Ms),
    p99_ratio_control: ratio(control.p99Ms, before.p99Ms),
    backup_s: first.seconds,
    incremental_s: second.seconds,
    incremental_new_bytes: second.newBytes,
    restore_s: round(Number(restored.result.seconds)),
  };
  process.stdout.write(`${JSON.stringify(line)}\n`);
  return line.demo === 'ok' ? 0 : 1;
}

async function quiet(): Promise<{ fromMs: number; toMs: number }> {
  const fromMs = Date.now();
  await delay(QUIET_MS);
  return { fromMs, toMs: Date.now() };
}

function show(proof: Proof, b: { first: Backup; second: Backup; chosen: Backup }): void {
  for (const [kind, findings] of Object.entries(proof.findings)) {
    for (const f of findings.slice(0, 10)) process.stderr.write(`${kind}: ${f}\n`);
  }
  const peak = Object.entries(b.first.peakRssBytes).map(([who, bytes]) => `${who} ${Math.round(bytes / 1e6)}`);
  const rows: [string, string][] = [
    ['T', new Date(Number(BigInt(b.chosen.T) / 1000n)).toISOString()],
    ['transactions in the ledger', String(proof.seen.transactions)],
    ['vertices read back', String(proof.seen.vertices)],
    ['lookups by composite index', String(proof.seen.lookups)],
    ['first backup', `${b.first.seconds} s, ${(b.first.newBytes / 1e6).toFixed(1)} MB new`],
    ['second backup', `${b.second.seconds} s, ${(b.second.newBytes / 1e6).toFixed(1)} MB new`],
    ['most memory, MB', peak.join(', ')],
    ...Object.entries(proof.report).map(([k, v]): [string, string] => [k, String(v)]),
  ];
  const width = Math.max(...rows.map(([k]) => k.length));
  for (const [k, v] of rows) process.stdout.write(`${k.padEnd(width)}  ${v}\n`);
}

function ratio(a: number, b: number): number {
  return b > 0 ? round(a / b) : 0;
}

function round(n: number): number {
  return Math.round(n * 100) / 100;
}
