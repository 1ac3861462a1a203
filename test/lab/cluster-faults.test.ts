import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { awaitAgreement, withCql } from '../../lab/clusters/cql.ts';
import type { Lab, LabNode } from '../../lab/index.ts';
import { configWithNodetool } from '../../lab/scenarios/disturbance.ts';
import { runSkep, type SkepRun } from '../../lab/scenarios/skep-process.ts';
import { Trial } from '../../lab/scenarios/trial.ts';
import { snapshotTags } from '../../src/drivers/cassandra/snapshot-files.ts';
import { configVariant } from './support/config-variant.ts';
import { backupsOf, expectOnly, expectRefused, warningsOf } from './support/faults.ts';
import { startFourthNode } from './support/fourth-node.ts';
import { canFillUp, fillUp } from './support/full-disk.ts';
import { sharedLab } from './support/labs.ts';
import { agentsOf, leftovers } from './support/leftovers.ts';
import { slowSnapshots, stagedSnapshots } from './support/slow-snapshots.ts';
import { copySstable, tableFolder } from './support/sstables.ts';

let lab: Lab;
let trial: Trial;
/** Lingers a second: nothing here is proven to be whole. */
let config: string;

const mayMount = await canFillUp();

beforeAll(async () => {
  lab = await sharedLab();
  config = await configVariant(lab, 'quick', [[['cut'], { linger: '1s', attempts: 2 }]]);
  trial = new Trial(lab, { seed: 'cluster-faults', say: () => {}, config });
  await trial.ensureRepository();
  await trial.startLoad();
  await trial.awaitTransactions(20);
  await trial.stopLoad();
});

afterAll(async () => {
  await trial.stopLoad();
});

/** `fault` begins with a stage, before the backup goes on for long; what it gives is not waited for. */
function backupAt(stage: string, fault: () => unknown, of = config): Promise<SkepRun> {
  return runSkep(['backup'], {
    config: of,
    state: trial.state,
    onEvent: (e) => {
      if (e.type === 'stage-started' && e.stage === stage) fault();
    },
  });
}

const backup = (of?: string): Promise<SkepRun> => backupAt('', () => {}, of);

describe('two backups at once', () => {
  test('one completes, the other is refused before it changes anything, and told whose the first is', async () => {
    const both = await Promise.all([backup(), backup()]);
    const [good, refused] = both.toSorted((a, b) => a.exitCode - b.exitCode) as [SkepRun, SkepRun];
    expect(good.error).toBeUndefined();
    const { id } = good.result as { id: string };
    await expectRefused(lab, refused, { code: 'locked', exitCode: 11, backups: [id] });
    expect(refused.error?.message).toContain(`another backup of this cluster is under way: ${id}`);
    const begun = refused.events.flatMap((e) => (e.type === 'stage-started' ? [e.stage] : []));
    expect(begun).toEqual(['discover']);
    expect(warningsOf(good)).toEqual([]);
    const verified = await runSkep(['verify', id, '--level', 'data'], { config, state: trial.state });
    expect(verified.exitCode).toBe(0);
  });
});

describe('an agent is killed', () => {
  test('while Cassandra makes its snapshot: another agent clears that, the next backup its pins', async () => {
    const backups = await backupsOf(lab);
    const n2 = lab.node('n2');
    const tags = () => snapshotTags([n2.record.cassandra.data], lab.record.thehive.keyspace, 'skep-2');
    const kill = async () => {
      await expect.poll(tags, { timeout: 60_000, interval: 20 }).not.toEqual([]);
      const agents = await agentsOf(lab, 'n2');
      for (const pid of agents) process.kill(pid, 'SIGKILL');
      return agents;
    };
    let killed: Promise<number[]> | undefined;
    const run = await backupAt('snapshot', () => (killed ??= kill()));
    expect(await killed).toHaveLength(1);
    expect(run.error?.code, run.error?.message).toMatch(/^(?:agent-failed|node-unreachable)$/);
    expect(run.error?.message).toContain('n2');
    await expectOnly(lab, backups);
    // The snapshot was cleared by another agent; the pins were that one's own.
    expect(await leftovers(lab)).toEqual([expect.stringMatching(/^pins .* on n2$/)]);
    const next = await backup();
    expect(next.error).toBeUndefined();
    expect(warningsOf(next)).toContainEqual(expect.stringMatching(/^removed pins .* of a dead run on n2$/));
    expect(await leftovers(lab)).toEqual([]);
    await expectOnly(lab, [(next.result as { id: string }).id, ...backups]);
  });
});

describe('a node of Elasticsearch is stopped', () => {
  test('while it gives its shard to the snapshot: no backup, and the next one is fine when it is back', async () => {
    const backups = await backupsOf(lab);
    const search = await slowSnapshots(lab);
    let stopped: Promise<LabNode> | undefined;
    const run = await backupAt('linger', () => (stopped ??= search.stopNodeOfSnapshot()));
    const node = await stopped;
    await expectRefused(lab, run, { code: 'snapshot-failed', exitCode: 3, backups });
    await node?.elasticsearch.start();
    await search.end();
    const next = await backup();
    expect(next.error).toBeUndefined();
    expect(await stagedSnapshots(lab)).toHaveLength(1);
    expect(await leftovers(lab)).toEqual([]);
    await expectOnly(lab, [(next.result as { id: string }).id, ...backups]);
  });
});

describe.runIf(mayMount)('the disk of a node is full', () => {
  const pins = () => path.join(path.dirname(lab.node('n2').record.cassandra.commitlog), 'skep-pins');

  /** A backup while nothing can be made in a folder, from a stage on. */
  async function withFull(folder: string, from: string): Promise<SkepRun> {
    let empty: (() => void) | undefined;
    try {
      if (from === 'before') empty = fillUp(folder);
      return await backupAt(from, () => (empty ??= fillUp(folder)));
    } finally {
      expect(empty).toBeDefined();
      empty?.();
    }
  }

  test('before the backup begins, where commit logs are: told by the check', async () => {
    const backups = await backupsOf(lab);
    const run = await withFull(pins(), 'before');
    await expectRefused(lab, run, { code: 'no-space', exitCode: 13, backups });
    expect(run.error?.message).toContain('n2');
    expect(run.error?.hint).toContain('free space');
  });

  test('when commit logs are to be pinned', async () => {
    const backups = await backupsOf(lab);
    await expectRefused(lab, await withFull(pins(), 'files'), { code: 'no-space', exitCode: 13, backups });
  });

  test('when Cassandra makes its snapshot', async () => {
    const backups = await backupsOf(lab);
    const keyspace = path.join(lab.node('n1').record.cassandra.data, lab.record.thehive.keyspace);
    const folder = path.join(await tableFolder(keyspace, 'edgestore'), 'snapshots');
    const run = await withFull(folder, 'pin');
    await expectRefused(lab, run, { code: 'no-space', exitCode: 13, backups });
    expect(run.error?.message).toContain('n1');
  });

  test('before the backup begins, where attachments are', async () => {
    const backups = await backupsOf(lab);
    const attachment = path.join(
      lab.record.files.location,
      'attachment',
      createHash('sha256').update('x').digest('hex'),
    );
    await writeFile(attachment, 'x');
    const run = await withFull(path.join(lab.record.files.location, '.skep-pins'), 'before');
    await expectRefused(lab, run, { code: 'no-space', exitCode: 13, backups });
  });
});

describe('what reaches a node beside the commit log', () => {
  test('a repair that streams between snapshot and T: the cut is taken again', async () => {
    const n1 = lab.node('n1');
    const table = `${lab.record.thehive.keyspace}.lab_uneven`;
    await withCql(lab.record, async (client) => {
      await client.execute(`CREATE TABLE ${table} (id int PRIMARY KEY)`);
      await awaitAgreement(client);
      for (let id = 0; id < 50; id++) await client.execute(`INSERT INTO ${table} (id) VALUES (${id})`);
    });
    // Two replicas lose what the third one keeps: a repair has something to stream.
    const { keyspace } = lab.record.thehive;
    const folder = path.join(lab.root, 'n1', 'uneven');
    await n1.nodetool('flush', keyspace, 'lab_uneven');
    await copySstable(path.join(n1.record.cassandra.data, keyspace), 'lab_uneven', folder);
    await withCql(lab.record, (client) => client.execute(`TRUNCATE ${table}`));
    await n1.nodetool('import', keyspace, 'lab_uneven', folder);
    // The first time nodetool returns so late that all of the repair is before T.
    const late =
      'case " $* " in *" snapshot "*) [ -e "$nodetool-late" ] || { sleep 10; touch "$nodetool-late"; } ;; esac';
    const slow = await configWithNodetool(lab, 'late-once', `"$nodetool" "$@" || exit\n${late}`, config);
    let done: Promise<unknown> | undefined;
    const run = await backupAt(
      'snapshot',
      () => (done ??= n1.nodetool('repair', '--full', keyspace, 'lab_uneven')),
      slow,
    );
    await done;
    expect(run.error).toBeUndefined();
    expect(run.result).toMatchObject({ attempts: 2 });
    expect(warningsOf(run).join()).toMatch(/the cut is taken again: .*data was streamed \(Repair/);
    expect(await leftovers(lab)).toEqual([]);
    await withCql(lab.record, (client) => client.execute(`DROP TABLE ${table}`));
  });
});

describe('the ring changes during the cut', () => {
  test('a node joins, then one leaves: refused both times, and the next run is fine', async () => {
    const n4 = await startFourthNode(lab);
    // Long enough for nodetool, and for what it does, beside other work.
    const patient = await configVariant(lab, 'patient', [[['cut', 'linger'], '8s']], config);
    const fourth = { name: 'n4', transport: 'local', cassandra: n4.address };
    const four = await configVariant(lab, 'four', [[['nodes', 3], fourth]], patient);
    let joining: Promise<string> | undefined;
    let leaving: Promise<string> | undefined;
    try {
      const backups = await backupsOf(lab);
      const joined = await backupAt('pin', () => (joining ??= n4.nodetool('join')), patient);
      await joining;
      await expectRefused(lab, joined, { code: 'cut-refused', exitCode: 3, backups });
      expect(joined.error?.message).toMatch(/no cut in 1 try: .*peers changed/);
      await expectRefused(lab, await backup(), { code: 'topology-mismatch', exitCode: 15, backups });

      const left = await backupAt('pin', () => (leaving ??= n4.nodetool('decommission')), four);
      await leaving;
      // Once it has left it does not answer CQL either.
      expect(left.error?.code).toMatch(/^(?:cut-refused|cql-failed)$/);
      expect(await leftovers(lab)).toEqual([]);
      expect(existsSync(path.join(lab.root, 'n4', 'cassandra', 'skep-pins'))).toBe(false);
      expect(await backupsOf(lab)).toEqual(backups);
    } finally {
      // Not left in the ring for the tests that follow.
      if (leaving === undefined) await n4.nodetool('decommission').catch(() => {});
      await n4.cassandra.stop();
    }
    expect((await backup()).error).toBeUndefined();
    const verified = await runSkep(['verify', '--level', 'data'], { config, state: trial.state });
    expect(verified.exitCode).toBe(0);
  });
});
