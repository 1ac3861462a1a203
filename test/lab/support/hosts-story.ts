// `hosts-story.ts ROOT EXECUTABLE`, run inside namespaces of its own: what happens to backups of three hosts when cables are
// pulled, sudo refuses and ssh does not know a host. Prints a line of JSON for each case; the test reads them.
import { chmod, readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setLink } from '../../../lab/hosts/hosts.ts';
import { labUp } from '../../../lab/index.ts';
import { runTool } from '../../../lab/ground/run-tool.ts';
import { runSkep, type SkepRun, type SkepRunOptions } from '../../../lab/scenarios/skep-process.ts';
import type { Proof } from '../../../lab/proof/report.ts';
import { STEADY_RATE, Trial } from '../../../lab/scenarios/trial.ts';
import { openRepository } from '../../../src/index.ts';
import { configVariant } from './config-variant.ts';
import { agentsGone, agentsOn, GONE_MS, hide, pullFor, until, untilHealthy } from './hosts.ts';
import { leftovers } from './leftovers.ts';
import { notNice } from './not-nice.ts';

/** Stage of a backup in which every node stores its snapshot. */
const STORING = 'sstables';

const [root = '', executable = ''] = process.argv.slice(2);
const say = (line: string): void => void process.stderr.write(`${line}\n`);
const lab = await notNice(
  await labUp({ root, name: 'hosts', hosts: { executable }, owner: process.pid, onProgress: say }),
);
try {
  await story();
} finally {
  await lab.down();
}

async function story(): Promise<void> {
  const trial = new Trial(lab, { seed: 'hosts', say });
  const skep: SkepRunOptions = {
    config: lab.config,
    state: trial.state,
    skep: lab.record.skep as [string, ...string[]],
  };
  const backup = (onStage: (stage: string) => void = () => {}): Promise<SkepRun> =>
    runSkep(['backup'], { ...skep, onEvent: (e) => e.type === 'stage-started' && onStage(e.stage) });
  await trial.ensureRepository();
  await trial.startLoad(STEADY_RATE);
  await trial.awaitTransactions(30);

  tell('nothing happens', await backup());
  await tellCheck(await runSkep(['check'], skep));

  // JanusGraph leaves half a transaction behind when a node goes in the middle of a commit, and a proof would find it.
  await trial.stopLoad();
  let plugged: Promise<void> | undefined;
  const short = await backup((stage) => {
    if (stage === STORING) plugged = pullFor('n2', 5_000);
  });
  await plugged;
  tell('the cable of a node is out for five seconds', short, { pulled: plugged !== undefined });

  let pulled: Promise<number | undefined> | undefined;
  const cut = await backup((stage) => {
    if (stage === STORING) pulled = setLink('n2', 'down').then(() => agentsGone(lab, 'n2'));
  });
  const goneSeconds = await pulled;
  await until(async () => (await agentsOn(lab)).length === 0, GONE_MS);
  await setLink('n2', 'up');
  await untilHealthy(lab);
  tell('the cable of a node stays out', cut, {
    pulled: pulled !== undefined,
    goneSeconds,
    agents: (await agentsOn(lab)).length,
    left: await leftovers(lab),
  });

  await trial.startLoad(STEADY_RATE);
  await trial.awaitTransactions(20);

  const { repository: place } = lab.record;
  const shown = [await hide(lab, 'n1', place), await hide(lab, 'n2', place)];
  const plan = await runSkep(['backup', '--dry-run'], skep);
  const relayed = await backup();
  tell('two nodes do not reach the repository', relayed, {
    warned: checksOf(relayed, 'warn').filter((line) => line.startsWith('repository')),
    plan: plan.events.flatMap((e) => (e.type === 'plan' ? e.steps.map(({ text }) => text) : [])).slice(0, 3),
    left: await leftovers(lab),
  });
  const direct = await configVariant(lab, 'direct', [[['agent', 'data_path'], 'direct']]);
  await chmod(direct, 0o644);
  tell('they do not, and are to write it themselves', await runSkep(['backup'], { ...skep, config: direct }), {
    left: await leftovers(lab),
  });
  for (const show of shown) await show();

  const sudoers = path.join(lab.root, 'hosts', 'sudoers-n3');
  const lines = await readFile(sudoers, 'utf8');
  await writeFile(sudoers, 'root ALL=(ALL:ALL) ALL\n');
  tell('sudo knows nothing of skep', await backup(), { left: await leftovers(lab) });
  // The users of the stores may be become, root may not.
  await writeFile(sudoers, lines.replace(/^.*\(root\).*\n/m, ''));
  const before = await openRepository(lab.record.repository).then((repository) => repository.list());
  const [newest] = before;
  tell('sudo starts no services', await runSkep(['restore', newest?.id ?? '', '--yes'], skep), {
    thehive: await lab.janusgraph.state(),
  });
  tell('sudo starts no services, cold', await runSkep(['backup', '--consistency', 'cold'], skep), {
    thehive: await lab.janusgraph.state(),
    left: await leftovers(lab),
  });
  await writeFile(sudoers, lines);

  const bare = await configVariant(lab, 'no-certificate', [[['cassandra', 'client'], undefined]]);
  await chmod(bare, 0o644);
  tell('Cassandra is shown no certificate', await runSkep(['backup'], { ...skep, config: bare }), {
    left: await leftovers(lab),
  });

  const knownHosts = lab.record.ssh?.knownHosts ?? '';
  const keys = await readFile(knownHosts, 'utf8');
  await writeFile(knownHosts, keys.replace(/^n1 .*$/m, `n1 ${/^n2 (.*)$/m.exec(keys)?.[1]}`));
  tell('the key of a host is another one', await backup(), { left: await leftovers(lab) });
  await writeFile(knownHosts, keys);

  await lab.node('n3').sshd.stop();
  tell('ssh is refused', await backup(), { left: await leftovers(lab) });
  await lab.node('n3').sshd.start();

  await trial.stopLoad();

  const killed = new AbortController();
  let gone: Promise<number | undefined> | undefined;
  await runSkep(['backup', '--consistency', 'cold'], {
    ...skep,
    signal: killed.signal,
    kill: 'SIGKILL',
    onEvent: (e) => {
      if (e.type !== 'stage-started' || e.stage !== STORING) return;
      killed.abort();
      gone = agentsGone(lab);
    },
  });
  const stopped = (await lab.janusgraph.state()) !== 'ready';
  await until(async () => (await lab.janusgraph.state()) === 'ready' && (await agentsOn(lab)).length === 0, GONE_MS);
  print({
    what: 'killed while TheHive is stopped',
    stopped,
    thehive: await lab.janusgraph.state(),
    agents: (await agentsOn(lab)).length,
    goneSeconds: await gone,
  });

  // As one does who does not wait for the next backup, which takes it over.
  const repository = await openRepository(lab.record.repository);
  for (const { id } of await repository.leases()) await runSkep(['unlock', id, '--yes', '--force'], skep);

  let during: string | undefined;
  const last = await runSkep(['backup', '--consistency', 'cold'], {
    ...skep,
    onEvent: (e) => {
      if (e.type === 'stage-started' && e.stage === STORING) void lab.janusgraph.state().then((s) => (during = s));
    },
  });
  tell('cold', last, { during, after: await lab.janusgraph.state(), left: await leftovers(lab) });
  const to = path.join(trial.state, 'extracted');
  tell('config', await runSkep(['extract', 'latest', '--store', 'config', '--node', 'n2', '--to', to], skep), {
    files: await readdir(path.join(to, lab.root, 'n2', 'cassandra', 'conf')).catch(() => []),
  });
  tell('verify', await runSkep(['verify', '--level', 'data'], skep));
  const { id = '', T = '' } = last.result as { id?: string; T?: string };
  tellProof('the cluster before it is lost', await trial.prove(T));
  await lab.destroy();
  for (const node of ['n1', 'n3']) await hide(lab, node, place);
  tell('restore', await runSkep(['restore', id, '--yes'], skep));
  tellProof('the cluster that came back', await trial.prove(T));
}

function tellProof(what: string, { report, findings }: Proof): void {
  const found = Object.entries(findings).filter(([, v]) => v.length > 0);
  print({ what, ...report, findings: Object.fromEntries(found.map(([k, v]) => [k, v.slice(0, 5)])) });
}

async function tellCheck(run: SkepRun): Promise<void> {
  const findings = checksOf(run, 'fail');
  const owners = await runTool(['stat', '--format', '%U:%G %a', lab.record.repository]);
  print({ what: 'check', exitCode: run.exitCode, findings, repository: owners.trim() });
}

function checksOf(run: SkepRun, verdict: 'warn' | 'fail'): string[] {
  return run.events.flatMap((e) => (e.type === 'check' && e.verdict === verdict ? [`${e.id}: ${e.seen}`] : []));
}

function tell(what: string, run: SkepRun, more: object = {}): void {
  const { exitCode, seconds, error } = run;
  print({ what, exitCode, seconds: Math.round(seconds), code: error?.code, message: error?.message, ...more });
}

function print(line: object): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}
