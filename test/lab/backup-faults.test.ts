import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { rm, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { awaitAgreement, withCql } from '../../lab/clusters/cql.ts';
import { withElasticsearch } from '../../lab/clusters/elastic.ts';
import type { Lab } from '../../lab/index.ts';
import { configWithNodetool } from '../../lab/scenarios/disturbance.ts';
import { Trial } from '../../lab/scenarios/trial.ts';
import { runSkep, type SkepRun } from '../../lab/scenarios/skep-process.ts';
import { configVariant, withFault } from './support/config-variant.ts';
import { backupsOf, expectRefused, warningsOf } from './support/faults.ts';
import { sharedLab } from './support/labs.ts';
import { leftovers } from './support/leftovers.ts';
import { partialProxy } from './support/partial-proxy.ts';
import { copySstable } from './support/sstables.ts';

let lab: Lab;
let trial: Trial;
/** Lingers a second: nothing here is proven to be whole. */
let config: string;

beforeAll(async () => {
  lab = await sharedLab();
  config = await configVariant(lab, 'quick', [[['cut'], { linger: '1s', attempts: 2 }]]);
  trial = new Trial(lab, { seed: 'faults', say: () => {}, config });
  await trial.ensureRepository();
  await trial.startLoad();
  await trial.awaitTransactions(40);
  await trial.stopLoad();
});

afterAll(async () => {
  await trial.stopLoad();
});

async function backupWith(variant: string): Promise<SkepRun> {
  return runSkep(['backup'], { config: variant, state: trial.state });
}

/** `fault` begins with a stage; what it gives is not waited for. */
async function backupAt(stage: string, fault: () => unknown, of = config): Promise<SkepRun> {
  return runSkep(['backup'], {
    config: of,
    state: trial.state,
    onEvent: (e) => {
      if (e.type === 'stage-started' && e.stage === stage) fault();
    },
  });
}

describe('a backup that cannot be whole is not published and leaves nothing behind', () => {
  test('nodetool fails on one node', async () => {
    const fail = 'case "$node $*" in "n2 "*" snapshot "*) echo "error: disk on fire" >&2; exit 2 ;; esac';
    const failing = await configWithNodetool(lab, 'failing', `${fail}\nexec "$nodetool" "$@"`, config);
    const run = await backupWith(failing);
    await expectRefused(lab, run, { code: 'command-failed', exitCode: 1 });
    expect(run.error?.message).toContain('n2');
    expect(run.error?.message).toContain('disk on fire');
  });

  test('a snapshot that says it went well but has no folder for a table', async () => {
    const lie = 'case "$node $*" in "n3 "*" snapshot "*) exit 0 ;; esac';
    const lying = await configWithNodetool(lab, 'lying', `${lie}\nexec "$nodetool" "$@"`, config);
    await expectRefused(lab, await backupWith(lying), { code: 'snapshot-failed', exitCode: 3 });
  });

  test('the Elasticsearch snapshot is PARTIAL', async () => {
    const proxy = await partialProxy(lab.record);
    try {
      const partial = await configVariant(lab, 'partial', [[['elasticsearch', 'urls'], [proxy.url]]], config);
      const run = await backupWith(partial);
      await expectRefused(lab, run, { code: 'snapshot-failed', exitCode: 3 });
      expect(run.error?.message).toContain('PARTIAL');
    } finally {
      await proxy.close();
    }
  });

  test('a commit log segment was missed: the cut is taken again, then refused', async () => {
    const run = await backupWith(await withFault(lab, 'segment-missed', { of: config }));
    await expectRefused(lab, run, { code: 'cut-refused', exitCode: 3 });
    expect(run.events.filter((e) => e.type === 'warning').length).toBeGreaterThanOrEqual(1);
    expect(run.error?.message).toContain('gone before it could be pinned');
  });

  test('the clock of a client is ahead: its writes are after T, and in the snapshot', async () => {
    const table = `${lab.record.thehive.keyspace}.ahead`;
    await withCql(lab.record, async (client) => {
      await client.execute(`CREATE TABLE ${table} (id text PRIMARY KEY)`);
      await awaitAgreement(client);
      const us = (Date.now() + 600_000) * 1000;
      await client.execute(`INSERT INTO ${table} (id) VALUES ('a') USING TIMESTAMP ${us}`);
      try {
        const run = await backupWith(config);
        await expectRefused(lab, run, { code: 'cut-refused', exitCode: 3 });
        expect(run.error?.message).toMatch(/ms after T \(ahead-/);
      } finally {
        await client.execute(`DROP TABLE ${table}`);
        await awaitAgreement(client);
      }
    });
  });

  test('an index of TheHive is closed: no snapshot would hold it', async () => {
    const index = 'thehive-audits-closed';
    await withElasticsearch(lab.record, async (client) => {
      await client.indices.create({ index, settings: { number_of_replicas: 0 } });
      await client.indices.close({ index });
      try {
        const run = await backupWith(config);
        await expectRefused(lab, run, { code: 'preflight-failed', exitCode: 5 });
        expect(JSON.stringify(run.events)).toContain(`POST ${index}/_open`);
      } finally {
        await client.indices.delete({ index });
      }
    });
  });

  test('a node dies in the middle of the cut', async () => {
    const n3 = lab.node('n3');
    let died: Promise<unknown> | undefined;
    const run = await runSkep(['backup'], {
      config: lab.config,
      state: trial.state,
      onEvent: (e) => {
        if (e.type === 'stage-started' && e.stage === 'linger') died ??= n3.cassandra.kill9();
      },
    });
    await died;
    expect(run.exitCode).not.toBe(0);
    expect(run.error?.code).toMatch(/cql-failed|command-failed|cut-refused/);
    await n3.cassandra.start();
    // A port that answers says nothing of what the other nodes think of it, and the next backup asks them.
    const nodesUp = () => runSkep(['check', '--only', 'nodes-up'], { config, state: trial.state });
    await expect.poll(async () => (await nodesUp()).exitCode, { timeout: 120_000, interval: 500 }).toBe(0);
    expect(await backupsOf(lab)).toEqual([]);
    // what could not be cleared on the dead node: its snapshot, which Cassandra removes by its time to live
    const left = (await leftovers(lab)).filter((l) => !l.startsWith('snapshot') || !l.endsWith('n3'));
    expect(left).toEqual([]);
  });

  test('Ctrl-C while the writers go on', async () => {
    const stop = new AbortController();
    const run = await runSkep(['backup'], {
      config,
      state: trial.state,
      signal: stop.signal,
      onEvent: (e) => {
        if (e.type === 'stage-started' && e.stage === 'linger') stop.abort();
      },
    });
    await expectRefused(lab, run, { code: 'terminated', exitCode: 143 });
  });

  test.each([
    ['CQL', 'cql-credentials', ['cassandra', 'password'], { command: ['echo', 'not-the-password'] }],
    ['JMX', 'jmx-credentials', ['cassandra', 'jmx', 'user'], 'somebody'],
    [
      'Elasticsearch',
      'elasticsearch-credentials',
      ['elasticsearch', 'password'],
      { command: ['echo', 'not-the-password'] },
    ],
    ['ssh', 'ssh-credentials', ['ssh', 'user'], 'nobody-of-that-name'],
  ] as const)('%s refuses the credentials: nothing was begun', async (what, code, key, value) => {
    const run = await backupWith(await configVariant(lab, `wrong-${what}`, [[[...key], value]], config));
    await expectRefused(lab, run, { code, exitCode: 12 });
    expect(run.events.filter((e) => e.type === 'stage-started' && e.stage !== 'discover')).toEqual([]);
    expect(JSON.stringify(run.events)).not.toContain('not-the-password');
  });

  test('a clock that is three seconds ahead is refused before anything is changed', async () => {
    const ahead = await withFault(lab, 'clock-ahead', { only: 'n2', of: config });
    const run = await backupWith(ahead);
    await expectRefused(lab, run, { code: 'clock-skew', exitCode: 14 });
    const [, apart, ofN2] = /at most ([\d.]+) ms apart.*\bn2 \+([\d.]+) ms/.exec(run.error?.message ?? '') ?? [];
    // What a measurement may be wrong by is counted too.
    for (const ms of [Number(apart), Number(ofN2)]) {
      expect(ms).toBeGreaterThan(2_900);
      expect(ms).toBeLessThan(3_500);
    }
    expect(run.events.filter((e) => e.type === 'stage-started' && e.stage !== 'discover')).toEqual([]);
  });

  // From here on backups are published.
  test('an attachment is damaged on the live cluster, until the configuration accepts its loss', async () => {
    const folder = path.join(lab.record.files.location, 'attachment');
    const name = createHash('sha256').update('whole').digest('hex');
    await writeFile(path.join(folder, name), 'half');
    const before = new Date(Date.now() - 3_600_000);
    await utimes(path.join(folder, name), before, before);
    const run = await backupWith(config);
    await expectRefused(lab, run, { code: 'attachments-damaged', exitCode: 3 });
    expect(run.error?.message).toContain(`attachment/${name}`);
    const accepting = await configVariant(
      lab,
      'accepting',
      [[['files', 'accept_damaged'], [`attachment/${name}`]]],
      config,
    );
    const accepted = await backupWith(accepting);
    expect(accepted.error).toBeUndefined();
    const shown = await runSkep(['show', 'latest'], { config, state: trial.state });
    expect(shown.result).toMatchObject({ backup: { details: { files: { mismatched: [`attachment/${name}`] } } } });
    await rm(path.join(folder, name));
  });

  describe('SSTables are put in between snapshot and T, behind the commit log', () => {
    /** A backup whose nodetool returns from a snapshot only when an import on n1, which begins after that snapshot, is done. */
    async function backupWithImport(attempts: number): Promise<SkepRun> {
      const n1 = lab.node('n1');
      const [made, done, folder] = ['made', 'done', 'to-import'].map((name) =>
        path.join(lab.root, 'n1', `${name}-${attempts}`),
      ) as [string, string, string];
      await n1.nodetool('flush', 'thehive', 'edgestore');
      await copySstable(path.join(lab.root, 'n1', 'cassandra', 'data', 'thehive'), 'edgestore', folder);
      const wait = `[ "$node" = n1 ] && touch "${made}"; until [ -e "${done}" ]; do sleep 0.2; done`;
      const script = `"$nodetool" "$@" || exit\ncase " $* " in *" snapshot "*) ${wait} ;; esac`;
      const held = await configWithNodetool(lab, `held-${attempts}`, script, config);
      const of = await configVariant(lab, `tries-${attempts}`, [[['cut', 'attempts'], attempts]], held);
      const putIn = async () => {
        try {
          await expect.poll(() => existsSync(made), { timeout: 120_000 }).toBe(true);
          await n1.nodetool('import', 'thehive', 'edgestore', folder);
        } finally {
          await writeFile(done, '');
        }
      };
      let put: Promise<void> | undefined;
      const run = await backupAt('snapshot', () => (put ??= putIn()), of);
      await put;
      return run;
    }

    test('the cut is taken again', async () => {
      const run = await backupWithImport(2);
      expect(run.error).toBeUndefined();
      expect(run.result).toMatchObject({ attempts: 2 });
      expect(warningsOf(run)).toEqual([
        expect.stringMatching(/^the cut is taken again: n1: SSTables were put in by nodetool \(.*thehive\/edgestore/),
      ]);
      expect(await leftovers(lab)).toEqual([]);
    });

    test('it is refused when there is no other try', async () => {
      const backups = await backupsOf(lab);
      const run = await backupWithImport(1);
      await expectRefused(lab, run, { code: 'cut-refused', exitCode: 3, backups });
      expect(run.error?.message).toMatch(/^no cut in 1 try: n1: SSTables were put in by nodetool/);
    });
  });

  test('the schema changes during the cut: it is taken again', async () => {
    let done: Promise<unknown> | undefined;
    const change = () =>
      withCql(lab.record, async (client) => {
        await client.execute('CREATE TABLE thehive.lab_meanwhile (id int PRIMARY KEY)');
        await awaitAgreement(client);
      });
    const run = await backupAt('linger', () => (done ??= change()));
    await done;
    expect(run.error).toBeUndefined();
    expect(run.result).toMatchObject({ attempts: 2 });
    expect(warningsOf(run)).toEqual([
      expect.stringMatching(/^the cut is taken again: .*n1: the schema changed;.* table lab_meanwhile was made/),
    ]);
    expect(await leftovers(lab)).toEqual([]);
  });

  test('a storm of compactions and a repair while the bytes are stored do no harm', async () => {
    let done: Promise<unknown> | undefined;
    const storm = () =>
      Promise.all([
        ...lab.nodes.map((n) => n.nodetool('compact', 'thehive')),
        lab.node('n1').nodetool('repair', '--full', 'thehive'),
      ]);
    const run = await backupAt('segments', () => (done ??= storm()));
    expect(await done).toHaveLength(4);
    expect(run.error).toBeUndefined();
    expect(run.result).toMatchObject({ attempts: 1 });
    expect(await leftovers(lab)).toEqual([]);
    const verified = await runSkep(['verify', 'latest', '--level', 'data'], { config, state: trial.state });
    expect(verified.exitCode).toBe(0);
  });
});
