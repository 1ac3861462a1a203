// `hosts-matrix.ts OUT ONLY EXECUTABLE`, run inside namespaces by tools/soak-hosts.ts: every fault in every stage of a backup of
// three hosts. Each ends with the cluster healthy, nothing left behind, a typed error or a good backup, the next backup fine
// and an older one still good. Rows go to OUT/hosts-matrix.ndjson; what has held is not done again. ONLY: a part of
// `STAGE / FAULT`, or ''; processes with different ones may run beside each other.
import { appendFile, chmod, mkdir } from 'node:fs/promises';
import path from 'node:path';
import { setLink } from '../../../lab/hosts/hosts.ts';
import { lastRows, MATRIX_STAGES, type MatrixRow } from '../../../lab/hosts/matrix-rows.ts';
import { type Lab, labUp } from '../../../lab/index.ts';
import { runSkep, type SkepRun, type SkepRunOptions } from '../../../lab/scenarios/skep-process.ts';
import { STEADY_RATE, Trial } from '../../../lab/scenarios/trial.ts';
import { configVariant } from './config-variant.ts';
import { agentsGone, agentsOn, GONE_MS, pullFor, until, untilHealthy } from './hosts.ts';
import { leftovers } from './leftovers.ts';

const NODE = 'n2';

interface Fault {
  name: string;
  /** Begins when the stage begins; what it gives ends it, after the run. */
  begin(lab: Lab, kill: AbortController): Promise<() => Promise<void>>;
  /** What of the run's own things may stay until the next run, or until a lease is stale. */
  mayStay?: RegExp;
  /** It kills the controller, which then says nothing more. */
  kills?: boolean;
  /** Where agents lose their controller by it, everywhere when it is killed: they must notice, and be gone in time. */
  cutOff?: string;
}

const nothing = async (): Promise<void> => {};

const FAULTS: readonly Fault[] = [
  {
    name: 'agents killed',
    async begin(lab) {
      for (const pid of await agentsOn(lab, NODE)) process.kill(pid, 'SIGKILL');
      return nothing;
    },
    // Nobody is there to remove them: the next run does, and Cassandra by the time to live.
    mayStay: /^(?:snapshot|pins|attachment pins)/,
  },
  {
    name: 'controller killed',
    async begin(_, kill) {
      kill.abort();
      return nothing;
    },
    mayStay: /^(?:lease|incoming)/,
    kills: true,
  },
  {
    name: 'cable out for 5 s',
    async begin() {
      await pullFor(NODE, 5_000);
      return nothing;
    },
  },
  {
    name: 'cable out',
    cutOff: NODE,
    async begin() {
      await setLink(NODE, 'down');
      return () => setLink(NODE, 'up');
    },
  },
  {
    name: 'Cassandra stopped',
    async begin(lab) {
      await lab.node(NODE).cassandra.stop();
      return () => lab.node(NODE).cassandra.start();
    },
    mayStay: /^snapshot/,
  },
  {
    name: 'Elasticsearch stopped',
    async begin(lab) {
      await lab.node(NODE).elasticsearch.stop();
      return () => lab.node(NODE).elasticsearch.start();
    },
  },
];

/** Orderly it takes about as long as the snapshot does, so that the node may still have its part in it. */
const DURING_SNAPSHOT: Fault = {
  name: 'Elasticsearch killed',
  async begin(lab) {
    await lab.node(NODE).elasticsearch.kill9();
    return () => lab.node(NODE).elasticsearch.start();
  },
};

interface Case {
  stage: string;
  fault: Fault;
  name: string;
}

const [out = '', only = '', executable = ''] = process.argv.slice(2);
const say = (line: string): void => void process.stderr.write(`${line}\n`);
await mkdir(out, { recursive: true });
const rows = path.join(out, 'hosts-matrix.ndjson');
const held = new Set((await lastRows(rows)).filter((row) => row.ok).map((row) => row.case));
const cases: Case[] = MATRIX_STAGES.flatMap((stage) =>
  [...FAULTS, ...(stage === 'search-snapshot' ? [DURING_SNAPSHOT] : [])].map((fault) => ({
    stage,
    fault,
    name: `${stage} / ${fault.name}`,
  })),
);
const left = cases.filter(({ name }) => name.includes(only) && !held.has(name));
if (left.length > 0) {
  const lab = await labUp({ name: labName(only), hosts: { executable }, owner: process.pid, onProgress: say });
  try {
    await allCases(lab, left);
  } finally {
    await lab.down();
  }
}

async function allCases(lab: Lab, some: readonly Case[]): Promise<void> {
  // Nothing is proven from these backups, so that commits need not be let end: the linger would only be waited for.
  const config = await configVariant(lab, 'short', [[['cut', 'linger'], '3s']]);
  await chmod(config, 0o644);
  const trial = new Trial(lab, { seed: 'matrix', say, config });
  const skep: SkepRunOptions = { config, state: trial.state, skep: lab.record.skep as [string, ...string[]] };
  await trial.ensureRepository();
  await trial.startLoad(STEADY_RATE);
  await trial.awaitTransactions(20);
  const first = await trial.backup();
  for (const c of some) await oneCase(lab, { ...c, skep, first: first.id });
  await trial.stopLoad();
  const all = await runSkep(['verify', '--level', 'presence'], skep);
  if (all.exitCode !== 0) throw new Error(`skep verify ended with ${all.exitCode}: ${all.error?.message}`);
}

async function oneCase(lab: Lab, c: Case & { skep: SkepRunOptions; first: string }): Promise<void> {
  const kill = new AbortController();
  // What a case before has left, which has failed then, is not this one's.
  const before = new Set(await leftovers(lab));
  const leftNow = async (): Promise<string[]> => (await leftovers(lab)).filter((what) => !before.has(what));
  let begun: Promise<() => Promise<void>> | undefined;
  let gone: Promise<number | undefined> | undefined;
  const run = await runSkep(['backup'], {
    ...c.skep,
    signal: kill.signal,
    kill: 'SIGKILL',
    onEvent: (e) => {
      if (e.type !== 'stage-started' || e.stage !== c.stage || begun !== undefined) return;
      begun = c.fault.begin(lab, kill);
      if (c.fault.kills || c.fault.cutOff) gone = begun.then(() => agentsGone(lab, c.fault.cutOff));
    },
  });
  const end = await begun;
  const goneSeconds = await gone;
  await until(async () => (await agentsOn(lab)).length === 0, GONE_MS);
  const agents = await agentsOn(lab);
  await end?.();
  await untilHealthy(lab);
  const stays = (await leftNow()).filter((what) => !c.fault.mayStay?.test(what));
  const next = await runSkep(['backup'], c.skep);
  // Nothing at all: also the lease of a controller that was killed is taken by who follows it on its machine, and sees
  // that its process has ended.
  const staysAfter = await leftNow();
  const older = await runSkep(['verify', c.first, '--level', 'presence'], c.skep);
  const failed = [
    ...(begun === undefined ? ['the stage did not begin'] : []),
    ...(isTyped(run, c.fault) ? [] : [`not typed: ${run.error?.message ?? run.stderr.slice(-200)}`]),
    ...(gone !== undefined && !isInTime(goneSeconds)
      ? [`agents were gone after ${goneSeconds ?? 'more than 60'} s`]
      : []),
    ...agents.map((pid) => `agent ${pid} still runs`),
    ...stays.map((what) => `left: ${what}`),
    ...(next.exitCode === 0 ? [] : [`next backup: ${next.error?.message ?? next.exitCode}`]),
    ...staysAfter.map((what) => `left after the next: ${what}`),
    ...(older.exitCode === 0 ? [] : [`older backup: ${older.error?.message ?? older.exitCode}`]),
  ];
  const row: MatrixRow = {
    case: c.name,
    exitCode: run.exitCode,
    code: run.error?.code,
    seconds: Math.round(run.seconds),
    goneSeconds,
    failed,
    ok: failed.length === 0,
  };
  const line = JSON.stringify(row);
  await appendFile(rows, `${line}\n`);
  process.stdout.write(`${line}\n`);
}

/** Good, an error that says what it is, or killed where that is the fault. */
function isTyped(run: SkepRun, fault: Fault): boolean {
  if (run.exitCode === 0) return true;
  if (run.exitCode === 137) return fault.kills === true;
  return run.error !== undefined && run.error.code !== 'internal';
}

function isInTime(goneSeconds: number | undefined): boolean {
  return goneSeconds !== undefined && goneSeconds * 1000 <= GONE_MS;
}

/** A lab of its own for each part, in a folder that the next process with the same part clears. */
function labName(part: string): string {
  const name = `matrix-${part.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-')}`;
  return name.slice(0, 32).replace(/-+$/, '');
}
