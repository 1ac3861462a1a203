// `hosts-matrix.ts OUT ONLY EXECUTABLE`, run inside namespaces by tools/soak-hosts.ts: every fault in every stage of a backup of
// three hosts. Each ends with the cluster healthy, nothing left behind, a typed error or a good backup, and the next backup
// fine. Rows go to OUT/hosts-matrix.ndjson; what is there already is not done again. ONLY: a part of `STAGE / FAULT`, or ''.
import { appendFile, mkdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { setLink } from '../../../lab/hosts/hosts.ts';
import { type Lab, labUp } from '../../../lab/index.ts';
import { runSkep, type SkepRun, type SkepRunOptions } from '../../../lab/scenarios/skep-process.ts';
import { STEADY_RATE, Trial } from '../../../lab/scenarios/trial.ts';
import { agentsOn, GONE_MS, pullFor, until, untilHealthy } from './hosts.ts';
import { leftovers } from './leftovers.ts';

const NODE = 'n2';
const STAGES = [
  'discover',
  'files',
  'pin',
  'snapshot',
  'linger',
  'sstables',
  'segments',
  'files-2',
  'elasticsearch',
  'publish',
];

interface Fault {
  name: string;
  /** Begins when the stage begins; what it gives ends it, after the run. */
  begin(lab: Lab, kill: AbortController): Promise<() => Promise<void>>;
  /** What of the run's own things may stay until the next run, or until a lease is stale. */
  mayStay?: RegExp;
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

const [out = '', only = '', executable = ''] = process.argv.slice(2);
const say = (line: string): void => void process.stderr.write(`${line}\n`);
await mkdir(out, { recursive: true });
const rows = path.join(out, 'hosts-matrix.ndjson');
const done = new Set(
  (await readFile(rows, 'utf8').catch(() => ''))
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => (JSON.parse(line) as { case: string }).case),
);
const cases = STAGES.flatMap((stage) => FAULTS.map((fault) => ({ stage, fault, name: `${stage} / ${fault.name}` })));
const left = cases.filter(({ name }) => name.includes(only) && !done.has(name));
if (left.length > 0) {
  const lab = await labUp({ name: 'matrix', hosts: { executable }, owner: process.pid, onProgress: say });
  try {
    const trial = new Trial(lab, { seed: 'matrix', say });
    await trial.ensureRepository();
    await trial.startLoad(STEADY_RATE);
    await trial.awaitTransactions(20);
    for (const { stage, fault, name } of left) await oneCase(lab, trial, { stage, fault, name });
    await trial.stopLoad();
  } finally {
    await lab.down();
  }
}

async function oneCase(lab: Lab, trial: Trial, c: { stage: string; fault: Fault; name: string }): Promise<void> {
  const skep: SkepRunOptions = {
    config: lab.config,
    state: trial.state,
    skep: lab.record.skep as [string, ...string[]],
  };
  const kill = new AbortController();
  // The lease of a run that was killed in a case before stays until it is stale.
  const before = new Set(await leftovers(lab));
  let begun: Promise<() => Promise<void>> | undefined;
  const run = await runSkep(['backup'], {
    ...skep,
    signal: kill.signal,
    kill: 'SIGKILL',
    onEvent: (e) => {
      if (e.type === 'stage-started' && e.stage === c.stage) begun ??= c.fault.begin(lab, kill);
    },
  });
  const end = await begun;
  await until(async () => (await agentsOn(lab)).length === 0, GONE_MS);
  const agents = (await agentsOn(lab)).length;
  await end?.();
  await untilHealthy(lab);
  const stays = (await leftovers(lab)).filter((what) => !before.has(what) && !c.fault.mayStay?.test(what));
  const next = await runSkep(['backup'], skep);
  const row = {
    case: c.name,
    exitCode: run.exitCode,
    code: run.error?.code,
    seconds: Math.round(run.seconds),
    begun: begun !== undefined,
    agents,
    left: stays,
    next: next.error?.message ?? next.exitCode,
  };
  const ok = isTyped(run) && row.begun && agents === 0 && stays.length === 0 && next.exitCode === 0;
  const line = JSON.stringify({ ...row, ok });
  await appendFile(rows, `${line}\n`);
  process.stdout.write(`${line}\n`);
}

/** Good, killed as it was told to, or an error that says what it is. */
function isTyped(run: SkepRun): boolean {
  if (run.exitCode === 0 || run.exitCode === 137) return true;
  return run.error !== undefined && run.error.code !== 'internal';
}
