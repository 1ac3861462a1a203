import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Lab } from '../../lab/index.ts';
import { isProven } from '../../lab/proof/report.ts';
import { configWithNodetool } from '../../lab/scenarios/disturbance.ts';
import { runSkep, type SkepRun, type SkepRunOptions } from '../../lab/scenarios/skep-process.ts';
import { type Backup, STEADY_RATE, Trial } from '../../lab/scenarios/trial.ts';
import { configVariant } from './support/config-variant.ts';
import { ownLab } from './support/labs.ts';
import { leftovers } from './support/leftovers.ts';
import { SecretWatch } from './support/secret-watch.ts';

let lab: Lab;
let trial: Trial;
let hot: Backup;
let cold: SkepRun;

beforeAll(async () => {
  lab = await ownLab({ nodes: 1 });
  trial = new Trial(lab, { seed: 'alone', say: () => {} });
  await trial.ensureRepository();
  await trial.startLoad(STEADY_RATE);
  await trial.awaitTransactions(40);
});

afterAll(async () => {
  await trial?.stopLoad();
  await lab?.down();
});

const skep = (args: string[], more: Partial<SkepRunOptions> = {}): Promise<SkepRun> =>
  runSkep(args, { config: lab.config, state: trial.state, ...more });

const coldBackup = (more?: Partial<SkepRunOptions>) => skep(['backup', '--consistency', 'cold'], more);

async function expectProven(T: string): Promise<void> {
  const { report, findings } = await trial.prove(T);
  expect(findings).toEqual(Object.fromEntries(Object.keys(findings).map((k) => [k, []])));
  expect(isProven(report)).toBe(true);
}

/** A configuration whose nodetool goes by the settings of another home. */
const withNodetool = (name: string, ...argv: string[]) =>
  configVariant(lab, name, [
    [
      ['cassandra', 'nodetool'],
      ['env', 'HOME=/nowhere', `${lab.root}/n1/cassandra/bin/nodetool`, ...argv],
    ],
  ]);

// One after the other on one machine: each begins from what the one before has left.
describe('one machine with everything on it, without ssh', () => {
  test('passes every check, JMX over TLS', async () => {
    const { events, exitCode } = await skep(['check']);
    const found = events.filter((e) => e.type === 'check');
    expect(found.filter((e) => e.verdict !== 'pass')).toEqual([]);
    expect(found.find((e) => e.id === 'elasticsearch-health')?.seen).toMatch(/^yellow/);
    expect(exitCode).toBe(0);
  });

  test('refuses a backup where nodetool does not trust JMX, or speaks no TLS', async () => {
    for (const config of [await withNodetool('untrusting', '--ssl'), await withNodetool('plain')]) {
      const { error, exitCode } = await skep(['backup'], { config });
      expect(error).toMatchObject({ code: 'jmx-credentials', hint: expect.stringContaining('--ssl') });
      expect(exitCode).toBe(12);
    }
  });

  test('is backed up hot, under load, and no password is seen among the arguments of a process', async () => {
    const watch = await SecretWatch.of(lab);
    watch.watchProcesses();
    hot = await trial.backup();
    watch.stop();
    expect(watch.found).toEqual([]);
    await trial.awaitTransactions(10);
    await trial.stopLoad();
    expect(await leftovers(lab)).toEqual([]);
  });

  test('a cold backup that fails starts TheHive again', async () => {
    const fail = 'case " $* " in *" snapshot "*) echo "error: disk on fire" >&2; exit 2 ;; esac';
    const config = await configWithNodetool(lab, 'failing', `${fail}\nexec "$nodetool" "$@"`);
    const run = await coldBackup({ config });
    expect(run.error).toMatchObject({ code: 'command-failed', message: expect.stringContaining('disk on fire') });
    expect(await lab.janusgraph.state()).toBe('ready');
    expect(await leftovers(lab)).toEqual([]);
  });

  test('so does one that Ctrl-C ends, and it says nothing else', async () => {
    const stop = new AbortController();
    const run = await coldBackup({
      signal: stop.signal,
      kill: 'Ctrl-C',
      onEvent: (e) => e.type === 'stage-started' && e.stage === 'sstables' && stop.abort(),
    });
    expect(run.exitCode).toBe(130);
    expect(run.events.filter((e) => e.type === 'warning')).toEqual([]);
    expect(await lab.janusgraph.state()).toBe('ready');
    expect(await leftovers(lab)).toEqual([]);
  });

  test('a cold backup stops TheHive for the cut alone', async () => {
    let during: Promise<string> | undefined;
    cold = await coldBackup({
      onEvent: (e) => {
        if (e.type === 'stage-started' && e.stage === 'sstables') during = lab.janusgraph.state();
      },
    });
    expect(cold.error).toBeUndefined();
    expect(await during).toBe('stopped');
    expect(await lab.janusgraph.state()).toBe('ready');
    expect(await leftovers(lab)).toEqual([]);
  });

  test('comes back from a total loss at the instant of the hot backup', async () => {
    await trial.startLoad(STEADY_RATE);
    await trial.awaitTransactions(10);
    await trial.stopLoad();
    await lab.destroy();
    await trial.restore(hot.id);
    await expectProven(hot.T);
  });

  test('goes to the instant of the cold backup', async () => {
    const { id, T } = cold.result as unknown as Backup;
    await trial.restore(id);
    await expectProven(T);
  });
});
