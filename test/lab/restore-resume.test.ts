import { readdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Lab } from '../../lab/index.ts';
import { isProven } from '../../lab/proof/report.ts';
import { runSkep, type SkepRun } from '../../lab/scenarios/skep-process.ts';
import { type Backup, STEADY_RATE, Trial } from '../../lab/scenarios/trial.ts';
import { configVariant } from './support/config-variant.ts';
import { sharedLab } from './support/labs.ts';
import { agentsOf, leftovers } from './support/leftovers.ts';
import { untilUnderWay } from './support/mid-stage.ts';

let lab: Lab;
let trial: Trial;
let backup: Backup;

beforeAll(async () => {
  lab = await sharedLab();
  trial = new Trial(lab, { seed: 'resume', say: () => {} });
  await trial.ensureRepository();
  await trial.startLoad(STEADY_RATE);
  await trial.awaitTransactions(60);
  backup = await trial.backup();
  await trial.awaitTransactions(20);
  await trial.stopLoad();
});

afterAll(async () => {
  await trial.stopLoad();
});

function restore(o: { onStage?: (stage: string) => void; signal?: AbortSignal } = {}): Promise<SkepRun> {
  return runSkep(['restore', backup.id, '--yes', '--verify', 'presence'], {
    config: lab.config,
    state: trial.state,
    kill: 'SIGKILL',
    ...(o.signal ? { signal: o.signal } : {}),
    onEvent: (e) => {
      if (e.type === 'stage-started') o.onStage?.(e.stage);
    },
  });
}

/** The steps that change something, in their order. */
const STEPS = [
  'stop-thehive',
  'batches',
  'undo-elasticsearch',
  'undo-cassandra',
  'schema',
  'grace',
  'drain',
  'stop-cassandra',
  'aside-cassandra',
  'cassandra',
  'files',
  'elasticsearch-files',
  'start-cassandra',
  'verify-cassandra',
  'grants',
  'elasticsearch',
  'elasticsearch-tidy',
  'repair',
  'grace-back',
  'audits',
  'start-thehive',
  'index',
  'lifecycle',
];

/** A restore that is killed in the middle of a step, or of the first one behind it that is still to do. */
async function killedIn(step: string): Promise<SkepRun> {
  const stop = new AbortController();
  const next = new AbortController();
  let chosen: string | undefined;
  const run = await restore({
    signal: stop.signal,
    onStage: (s) => {
      if (chosen !== undefined) return next.abort();
      if (STEPS.indexOf(s) < STEPS.indexOf(step)) return;
      chosen = s;
      void untilUnderWay(lab, s, next.signal).then(() => stop.abort());
    },
  });
  next.abort();
  expect(run.exitCode, `killed in ${step}`).toBe(137);
  return run;
}

/** The agents of a restore that was killed find out by themselves that nobody is there any more. */
async function agentsGone(): Promise<void> {
  await expect.poll(() => agentsOf(lab), { timeout: 60_000, interval: 100 }).toEqual([]);
}

async function expectWhole(): Promise<void> {
  const { report, findings } = await trial.prove(backup.T);
  expect(findings).toEqual(Object.fromEntries(Object.keys(findings).map((k) => [k, []])));
  expect(isProven(report)).toBe(true);
}

/** Leases of what was killed stay until they are stale; nothing else may. */
async function expectNothingLeft(): Promise<void> {
  expect((await leftovers(lab)).filter((l) => !l.startsWith('lease read'))).toEqual([]);
}

describe('a restore that would end half way is refused before anything is changed', () => {
  async function expectRefused(config: string, code: string, exitCode: number): Promise<SkepRun> {
    const run = await runSkep(['restore', backup.id, '--yes'], { config, state: trial.state });
    expect(run).toMatchObject({ exitCode, error: { code } });
    expect(run.events.filter((e) => e.type === 'stage-started')).toEqual([]);
    expect(await leftovers(lab)).toEqual([]);
    return run;
  }

  test.each([
    ['JMX', 'jmx-credentials', ['cassandra', 'jmx', 'user'], 'somebody'],
    ['CQL', 'cql-credentials', ['cassandra', 'password'], { command: ['echo', 'wrong'] }],
    ['Elasticsearch', 'elasticsearch-credentials', ['elasticsearch', 'password'], { command: ['echo', 'wrong'] }],
    ['ssh', 'ssh-credentials', ['ssh', 'user'], 'nobody-of-that-name'],
  ] as const)('%s refuses the account', async (what, code, key, value) => {
    await expectRefused(await configVariant(lab, `restore-${what}`, [[[...key], value]]), code, 12);
  });

  test('a node would drop writes at its next start', async () => {
    const file = path.join(lab.node('n2').record.cassandra.conf, 'commitlog_archiving.properties');
    await writeFile(file, 'restore_point_in_time=2026:11:22 23:01:43\n');
    try {
      const run = await expectRefused(lab.config, 'preflight-failed', 5);
      expect(run.error?.message).toContain(file);
    } finally {
      await rm(file);
    }
  });

  test('the folder of attachments is not there', async () => {
    const config = await configVariant(lab, 'restore-absent', [[['files', 'location'], path.join(lab.root, 'absent')]]);
    await expectRefused(config, 'preflight-failed', 5);
  });
});

// Every stage that lasts, in order.
const LASTING = [
  'stop-thehive',
  'undo-elasticsearch',
  'undo-cassandra',
  'grace',
  'drain',
  'stop-cassandra',
  'aside-cassandra',
  'cassandra',
  'files',
  'elasticsearch-files',
  'start-cassandra',
  'elasticsearch',
  'elasticsearch-tidy',
  'repair',
  'audits',
  'index',
];
// The others move no data; `make soak KILLS=1` kills in them as well.
const MOVING = ['undo-cassandra', 'aside-cassandra', 'cassandra', 'files', 'elasticsearch', 'index'];
const KILLS = process.env['SKEP_TORTURE'] === 'full' ? LASTING : MOVING;

describe('a restore that is killed', () => {
  test('is alone: until it has ended a second one and a backup are refused', async () => {
    const stop = new AbortController();
    let second: Promise<SkepRun> | undefined;
    const first = restore({
      signal: stop.signal,
      onStage: (stage) => {
        if (stage !== 'undo-elasticsearch') return;
        second = restore();
        void second.then(() => stop.abort());
      },
    });
    expect((await first).exitCode).toBe(137);
    expect(await second).toMatchObject({ exitCode: 11, error: { code: 'locked' } });
    const refused = await trial.tryBackup();
    expect(refused).toMatchObject({ exitCode: 5, error: { code: 'preflight-failed' } });
    expect(refused.error?.hint).toContain(backup.id);
    await agentsGone();
  });

  test('in one stage after the other ends whole, also when the nodes were started meanwhile, as by a reboot', async () => {
    const reached: string[] = [];
    const warnings: SkepRun['events'] = [];
    const kill = async (stage: string) => {
      const run = await killedIn(stage);
      for (const e of run.events) {
        if (e.type === 'stage-started') reached.push(e.stage);
        if (e.type === 'warning') warnings.push(e);
      }
      await agentsGone();
    };
    for (const stage of KILLS.filter((k) => STEPS.indexOf(k) <= STEPS.indexOf('files'))) await kill(stage);
    await Promise.all(lab.nodes.map((n) => n.cassandra.start()));
    for (const stage of KILLS.filter((k) => STEPS.indexOf(k) > STEPS.indexOf('files'))) await kill(stage);
    expect(reached).toEqual(expect.arrayContaining([...KILLS]));
    const last = await restore();
    expect(last.error).toBeUndefined();
    expect(last.result).toMatchObject({ backup: backup.id, resumed: true });
    for (const node of ['n1', 'n2', 'n3']) {
      expect(warnings).toContainEqual(expect.objectContaining({ type: 'warning', context: { node } }));
    }
    await expectWhole();
    await expectWhole();
    // What the interrupted start has written was set aside beside what was there before, not over it.
    const [n1] = lab.nodes as [Lab['nodes'][number]];
    const undo = path.join(path.dirname(n1.record.cassandra.data), 'skep-undo', String(last.result?.run), 'n1');
    expect(await readdir(undo)).toEqual(expect.arrayContaining(['commitlog', 'data0']));
    expect((await readdir(path.join(undo, 'data0'))).filter((name) => name.endsWith('.2'))).not.toEqual([]);
    await expectNothingLeft();
    expect((await trial.tryBackup()).error).toBeUndefined();
  });

  test('after a total loss, while the keyspace is made again', async () => {
    await lab.destroy();
    await killedIn('schema');
    await killedIn('cassandra');
    const last = await restore();
    expect(last.error).toBeUndefined();
    await expectWhole();
  });
});
