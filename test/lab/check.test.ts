import { createHash } from 'node:crypto';
import { chmod, mkdir, rm, stat, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Lab, withCql, withElasticsearch } from '../../lab/index.ts';
import type { CheckContext, CheckFinding } from '../../src/checks/check.ts';
import { preflight } from '../../src/checks/preflight.ts';
import { CHECKS } from '../../src/checks/registry.ts';
import { runChecks } from '../../src/checks/run-checks.ts';
import { loadCluster } from '../../src/config/load.ts';
import type { ClusterConfig } from '../../src/config/schema.ts';
import { discover } from '../../src/discovery/discover.ts';
import type { SkepEvent } from '../../src/events.ts';
import { check, type CheckOptions, type CheckReport } from '../../src/run/check.ts';
import { connect, type Connections, disconnect, measureClocks } from '../../src/run/connections.ts';
import { initRepository } from '../../src/repository/index.ts';
import { init } from '../../src/run/init.ts';
import { accessTo } from '../../src/run/access-to.ts';
import { sharedLab } from './support/labs.ts';

const signal = new AbortController().signal;
const INDEX = 'thehive_global';

let lab: Lab;
let cluster: ClusterConfig;
let connections: Connections;

beforeAll(async () => {
  lab = await sharedLab();
  cluster = await loadCluster({ file: lab.config });
  await withElasticsearch(lab.record, (es) =>
    es.indices.create({ index: INDEX, settings: { number_of_shards: 1, number_of_replicas: 1 } }),
  );
  await init(cluster, { signal, emit: () => undefined });
  connections = await connect(cluster);
});

afterAll(async () => {
  if (connections) await disconnect(connections);
});

/** What the checks see now, with another configuration where given. */
async function contextWith(changed: ClusterConfig = cluster): Promise<CheckContext> {
  return {
    connections: { ...connections, cluster: changed, access: await accessTo(changed) },
    topology: await discover(changed, connections.cql),
    clocks: await measureClocks(connections.agents),
    signal,
    now: Date.now(),
  };
}

async function look(id: string, changed?: ClusterConfig): Promise<CheckFinding[]> {
  return runChecks(await contextWith(changed), CHECKS, { only: [id] });
}

function failures(findings: readonly CheckFinding[]): CheckFinding[] {
  return findings.filter((f) => f.verdict !== 'pass');
}

async function checkAll(
  o: Partial<CheckOptions> = {},
  changed: ClusterConfig = cluster,
): Promise<{ report: CheckReport; events: SkepEvent[] }> {
  const events: SkepEvent[] = [];
  return { report: await check(changed, { signal, emit: (e) => events.push(e), ...o }), events };
}

const alter = (statement: string) => withCql(lab.record, (cql) => cql.execute(statement));

/** Until every node sees every other as up: what is broken on purpose is whole again for the next test. */
async function allUp(): Promise<void> {
  for (const node of lab.nodes) await node.cassandra.start();
  await expect.poll(async () => failures(await look('nodes-up')), { timeout: 120_000, interval: 1000 }).toEqual([]);
}

describe('a cluster that is well', () => {
  test('fails nothing, and a backup may begin', async () => {
    const { report, events } = await checkAll();
    expect(report.findings.filter((f) => f.verdict === 'fail')).toEqual([]);
    expect(report.ok).toBe(true);
    const ids = new Set(events.flatMap((e) => (e.type === 'check' ? [e.id] : [])));
    expect(ids).toEqual(new Set(['connect', ...CHECKS.map((c) => c.id)]));
    await expect(preflight(await contextWith())).resolves.not.toEqual([]);
  });

  test('lets skep in with an API key of Elasticsearch in the place of a user, until the key is taken back', async () => {
    await withElasticsearch(lab.record, async (client) => {
      const { id, encoded } = await client.security.createApiKey({ name: 'skep' });
      const { user: _user, password: _password, ...without } = cluster.elasticsearch;
      const keyed = { ...cluster, elasticsearch: { ...without, api_key: { command: ['echo', encoded] } } };
      expect(failures(await look('elasticsearch-health', keyed))).toEqual([]);
      await client.security.invalidateApiKey({ ids: [id] });
      await expect(checkAll({ only: ['elasticsearch-health'] }, keyed)).rejects.toMatchObject({
        code: 'elasticsearch-credentials',
      });
    });
  });
});

describe('credentials that are wrong are a typed error with exit code 12', () => {
  const refused = async (changed: ClusterConfig, only?: string[]) =>
    expect(checkAll(only ? { only } : {}, changed)).rejects;

  test('of CQL', async () => {
    const wrong = { ...cluster, cassandra: { ...cluster.cassandra, password: { command: ['echo', 'wrong'] } } };
    await (await refused(wrong)).toMatchObject({ code: 'cql-credentials', exitCode: 12 });
  });

  test('of Elasticsearch', async () => {
    const elasticsearch = { ...cluster.elasticsearch, password: { command: ['echo', 'wrong'] } };
    await (
      await refused({ ...cluster, elasticsearch })
    ).toMatchObject({
      code: 'elasticsearch-credentials',
      exitCode: 12,
    });
  });

  test('of JMX', async () => {
    const file = path.join(lab.root, 'wrong-jmx');
    await writeFile(file, `${lab.record.jmx.user} wrong\n`, { mode: 0o600 });
    const jmx = { user: lab.record.jmx.user, password_file: file };
    const wrong = { ...cluster, cassandra: { ...cluster.cassandra, jmx } };
    await (await refused(wrong, ['nodes-up'])).toMatchObject({ code: 'jmx-credentials', exitCode: 12 });
  });

  test('of ssh', async () => {
    const wrong = { ...cluster, ssh: { ...cluster.ssh, user: 'nobody-of-that-name' } };
    await (await refused(wrong)).toMatchObject({ code: 'ssh-credentials', exitCode: 12 });
  });
});

describe('a check goes red', () => {
  test('when a configuration leaves out a node of the cluster', async () => {
    const changed = { ...cluster, nodes: cluster.nodes.filter((n) => n.name !== 'n3') };
    expect(failures(await look('nodes-up', changed))).toMatchObject([
      { verdict: 'fail', code: 'topology-mismatch', seen: expect.stringContaining(lab.node('n3').record.address) },
    ]);
    await expect(preflight(await contextWith(changed))).rejects.toMatchObject({ code: 'topology-mismatch' });
  });

  test('when clocks differ by more than the limit', async () => {
    const changed = { ...cluster, cut: { ...cluster.cut, max_clock_skew: 0 } };
    await expect(preflight(await contextWith(changed))).rejects.toMatchObject({ code: 'clock-skew', exitCode: 14 });
  });

  test('when the keyspace has counters, or is not there', async () => {
    const { keyspace } = cluster.cassandra;
    await alter(`CREATE TABLE ${keyspace}.hits (k text PRIMARY KEY, n counter)`);
    try {
      expect(await look('keyspace')).toMatchObject([{ verdict: 'fail', seen: expect.stringContaining('hits') }]);
    } finally {
      await alter(`DROP TABLE ${keyspace}.hits`);
    }
    const changed = { ...cluster, cassandra: { ...cluster.cassandra, keyspace: 'no_such' } };
    expect(await look('keyspace', changed)).toMatchObject([{ verdict: 'fail' }]);
  });

  test('when the staging folder is not one that Elasticsearch may write', async () => {
    const staging = { ...cluster.elasticsearch.staging, location: path.join(lab.root, 'elsewhere') };
    const changed = { ...cluster, elasticsearch: { ...cluster.elasticsearch, staging } };
    expect(await look('elasticsearch-repository', changed)).toMatchObject([
      { verdict: 'fail', seen: expect.stringContaining('path.repo'), cure: expect.stringContaining('mount') },
    ]);
    expect(await look('elasticsearch-repository')).toMatchObject([
      { verdict: 'pass', seen: expect.stringContaining('n1, n2, n3') },
    ]);
  });

  test('when the repository is not there', async () => {
    const changed = {
      ...cluster,
      repository: { ...cluster.repository, location: path.join(lab.root, 'no-repository') },
    };
    expect(await look('repository', changed)).toMatchObject([
      { verdict: 'fail', code: 'repository-missing', cure: 'skep init' },
    ]);
  });

  test("when the repository is another cluster's, by its name or by the nodes it was made for", async () => {
    const location = path.join(lab.root, 'foreign-repository');
    await initRepository({ location }, { clusterName: cluster.name, clusterId: 'other nodes' });
    for (const changed of [
      { ...cluster, name: 'another' },
      { ...cluster, repository: { ...cluster.repository, location } },
    ]) {
      expect(await look('repository', changed)).toMatchObject([{ verdict: 'fail', code: 'repository-foreign' }]);
      await expect(preflight(await contextWith(changed))).rejects.toMatchObject({ exitCode: 10 });
    }
    await rm(location, { recursive: true });
  });

  test('when an attachment is not what its name promises', async () => {
    const folder = path.join(cluster.files.location, 'attachment');
    const good = path.join(folder, createHash('sha256').update('good').digest('hex'));
    const bad = path.join(folder, createHash('sha256').update('bad').digest('hex'));
    const fresh = path.join(folder, createHash('sha256').update('fresh').digest('hex'));
    await mkdir(folder, { recursive: true });
    try {
      await writeFile(good, 'good');
      await writeFile(bad, 'bax');
      await writeFile(fresh, 'half of fr');
      const before = new Date(Date.now() - 120_000);
      await utimes(good, before, before);
      await utimes(bad, before, before);
      const [finding] = await look('attachments');
      expect(finding).toMatchObject({ verdict: 'fail', node: cluster.files.node });
      expect(finding?.seen).toContain(`1 of 2 attachments`);
      expect(finding?.seen).toContain(path.basename(bad));
    } finally {
      for (const file of [good, bad, fresh]) await rm(file, { force: true });
    }
    expect(failures(await look('attachments'))).toEqual([]);
  });

  test('when another user than the owner of the commit log is to pin it: the kernel refuses that', async () => {
    const { commitlog } = lab.node('n2').record.cassandra;
    const pins = path.join(path.dirname(commitlog), 'skep-pins');
    const nobody = ['setpriv', '--reuid', '65534', '--regid', '65534', '--clear-groups'];
    const command = [...nobody, process.execPath, path.join(import.meta.dirname, '../../src/agent/main.ts')];
    const changed = { ...cluster, agent: { ...cluster.agent, command } };
    const others = await connect(changed);
    await mkdir(pins);
    await chmod(pins, 0o777);
    // As where others than its owner may read the log.
    const closed: [folder: string, mode: number][] = [];
    for (let at = commitlog; at.startsWith(lab.root); at = path.dirname(at)) {
      closed.push([at, (await stat(at)).mode]);
      await chmod(at, 0o755);
    }
    try {
      const context = await contextWith(changed);
      const seen = await runChecks({ ...context, connections: { ...others, cluster: changed } }, CHECKS, {
        only: ['commitlog'],
      });
      expect(seen.find((f) => f.node === 'n2')).toMatchObject({
        verdict: 'fail',
        seen: expect.stringContaining('since fs.protected_hardlinks is on'),
        cure: expect.stringContaining(`the user with id ${process.getuid?.()}`),
      });
    } finally {
      await disconnect(others);
      for (const [folder, mode] of closed) await chmod(folder, mode);
      await rm(pins, { recursive: true });
    }
  });

  test('when a restore_point_in_time was left behind', async () => {
    const file = path.join(lab.node('n2').record.cassandra.conf, 'commitlog_archiving.properties');
    await writeFile(file, 'archive_command=\nrestore_point_in_time=2026:11:22 23:01:43\n');
    try {
      const findings = await look('point-in-time');
      expect(findings.map((f) => [f.node, f.verdict])).toEqual([
        ['n1', 'pass'],
        ['n2', 'fail'],
        ['n3', 'pass'],
      ]);
      expect(findings[1]?.seen).toContain(file);
    } finally {
      await rm(file);
    }
  });

  test('when a dead run has left a snapshot and pins', async () => {
    const { keyspace } = cluster.cassandra;
    const node = lab.node('n1');
    const pins = path.join(node.record.cassandra.commitlog, '..', 'skep-pins', 'dead-run');
    await node.nodetool('snapshot', '-t', 'skep-dead-run-1', '--', keyspace);
    await mkdir(pins, { recursive: true });
    try {
      // Its pins were touched a moment ago: the run may live.
      expect(failures(await look('leftovers'))).toEqual([]);
      const before = new Date(Date.now() - 3_600_000);
      await utimes(pins, before, before);
      expect(failures(await look('leftovers'))).toMatchObject([
        { verdict: 'warn', node: 'n1', seen: expect.stringContaining('skep-dead-run-1') },
        { verdict: 'warn', node: 'n1', seen: expect.stringContaining('not touched for') },
      ]);
    } finally {
      await rm(pins, { recursive: true });
      await node.nodetool('clearsnapshot', '-t', 'skep-dead-run-1', '--', keyspace);
    }
    expect(failures(await look('leftovers'))).toEqual([]);
  });

  test('when a log of Cassandra that is named is not there: what is imported would not be seen', async () => {
    const logs = [path.join(lab.root, 'none.log')];
    const changed = {
      ...cluster,
      cassandra: { ...cluster.cassandra, service: { ...cluster.cassandra.service, logs } },
    };
    const red = ['n1', 'n2', 'n3'].map((node) => ({ node, verdict: 'fail', code: 'file-unreadable' }));
    expect(failures(await look('imports', changed))).toMatchObject(red);
    await expect(preflight(await contextWith(changed))).rejects.toMatchObject({ code: 'file-unreadable', exitCode: 3 });
  });

  test('when a log has an error of the last 24 hours, not when it is older', async () => {
    const log = path.join(lab.root, 'some.log');
    const line = (daysAgo: number) =>
      `ERROR [main] ${new Date(Date.now() - daysAgo * 86_400_000).toISOString().slice(0, 23)} X.java:1 - ${daysAgo} days\n`;
    const cassandra = { ...cluster.cassandra, service: { ...cluster.cassandra.service, logs: [log] } };
    const logsOfN1 = async () =>
      (await look('logs', { ...cluster, cassandra })).filter((f) => f.node === 'n1' && f.seen.includes(log));
    await writeFile(log, line(2));
    expect(await logsOfN1()).toMatchObject([{ verdict: 'pass' }]);
    await writeFile(log, line(2) + line(0));
    const seen = (await look('logs', { ...cluster, cassandra })).filter((f) => f.seen.includes('0 days'));
    expect(seen.map((f) => [f.node, f.verdict])).toEqual(['n1', 'n2', 'n3'].map((n) => [n, 'warn']));
    await rm(log);
    expect(await logsOfN1()).toMatchObject([{ verdict: 'warn', seen: expect.stringContaining('cannot read') }]);
  });

  test('when an Elasticsearch node is down', async () => {
    const node = lab.node('n3');
    await node.elasticsearch.stop();
    try {
      await expect
        .poll(async () => (await look('elasticsearch-health'))[0], { timeout: 60_000, interval: 500 })
        .toMatchObject({ verdict: 'fail', seen: '2 nodes in the cluster, the configuration has 3' });
    } finally {
      await node.elasticsearch.start();
    }
    await expect
      .poll(async () => failures(await look('elasticsearch-health')), { timeout: 120_000, interval: 500 })
      .toEqual([]);
  });

  test('when a Cassandra node is down, and the other checks go on', async () => {
    await lab.node('n3').cassandra.stop();
    try {
      const { report } = await checkAll();
      const red = report.findings.filter((f) => f.verdict === 'fail');
      expect(report.ok).toBe(false);
      expect(red.map((f) => [f.id, f.node])).toEqual([
        ['connect', 'n3'],
        ['services', 'n3'],
        ['nodes-up', 'n3'],
      ]);
      expect(red[2]?.seen).toBe('n3 is DN (down, normal) as seen by n1, n2');
      await expect(checkAll({ fix: 'repair' })).rejects.toMatchObject({ code: 'preflight-failed', exitCode: 5 });
    } finally {
      await allUp();
    }
  });
});

describe('mending', () => {
  test('replication: the plan first, then ALTER KEYSPACE and a full repair of every node', async () => {
    const { keyspace } = cluster.cassandra;
    await alter(`ALTER KEYSPACE ${keyspace} WITH replication = {'class': 'NetworkTopologyStrategy', 'datacenter1': 2}`);
    expect(failures(await look('replication'))).toMatchObject([
      { verdict: 'fail', seen: expect.stringContaining('2 replicas'), cure: 'skep check --fix replication' },
    ]);

    const dry = await checkAll({ fix: 'replication', dryRun: true });
    expect(dry.report).toMatchObject({ ok: false, fix: { done: false } });
    expect(dry.events.find((e) => e.type === 'plan')).toMatchObject({
      steps: [
        { text: expect.stringMatching(/^ALTER KEYSPACE thehive .*'datacenter1': 3/), changes: true },
        { changes: false },
        ...['n1', 'n2', 'n3'].map((n) => ({ text: `on ${n}: nodetool repair --full -pr -- thehive`, changes: true })),
      ],
    });

    const { report, events } = await checkAll({ fix: 'replication' });
    expect(report).toMatchObject({ ok: true, failed: 0, warned: 0, fix: { done: true } });
    const kinds = events.map((e) => e.type);
    expect(kinds.indexOf('plan')).toBeLessThan(kinds.indexOf('stage-started'));
    expect(events.flatMap((e) => (e.type === 'stage-done' ? [e.stage] : []))).toEqual([
      'repair n1',
      'repair n2',
      'repair n3',
    ]);
    const last = events.filter((e) => e.type === 'progress').at(-1);
    expect(last).toMatchObject({ node: 'n3', files: 16, totalFiles: 16 });
    // Nothing is left to mend: no step, and nothing is done twice.
    const again = await checkAll({ fix: 'replication' });
    expect(again.report.fix?.steps).toEqual([]);
  });

  test('repair: a node on which it fails ends it with what nodetool said', async () => {
    let killed: Promise<void> | undefined;
    const emit = (e: SkepEvent) => {
      if (e.type === 'stage-started' && e.stage === 'repair n2') killed = lab.node('n3').cassandra.kill9();
    };
    try {
      await expect(check(cluster, { fix: 'repair', signal, emit })).rejects.toMatchObject({
        code: 'command-failed',
        message: expect.stringMatching(/^nodetool repair failed on n[23]: /),
      });
      expect(killed).toBeDefined();
    } finally {
      await killed;
      await allUp();
    }
  });
});
