import { describe, expect, test } from 'vitest';
import { judgeAddresses } from '../../../src/checks/addresses.ts';
import { judgeClocks } from '../../../src/checks/clocks.ts';
import { judgeKeyspace } from '../../../src/checks/keyspace.ts';
import { judgeViews } from '../../../src/checks/nodes-up.ts';
import { judgeSchema } from '../../../src/checks/schema-agreement.ts';
import { localCluster } from '../support/cluster.ts';
import { judgeRoles, judgeService } from '../../../src/checks/services.ts';
import { judgeSudo } from '../../../src/checks/sudo.ts';
import { judgeActivity } from '../../../src/checks/streams.ts';
import { judgeCassandra, judgeElasticsearch } from '../../../src/checks/versions.ts';
import type { StatusLine } from '../../../src/drivers/cassandra/status.ts';

describe('clocks', () => {
  const at = (node: string, offsetUs: number) => ({ node, offsetUs, errorUs: 100 });

  test('within half of the limit they pass, with each offset', () => {
    const [r] = judgeClocks([at('a', 0), at('b', 1000)], 500);
    expect(r).toMatchObject({ verdict: 'pass', seen: expect.stringContaining('b +1.0 ms') });
  });

  test('above half of the limit is a warning, above the limit a refusal', () => {
    expect(judgeClocks([at('a', 0), at('b', 300_000)], 500)[0]?.verdict).toBe('warn');
    expect(judgeClocks([at('a', 0), at('b', -600_000)], 500)[0]).toMatchObject({
      verdict: 'fail',
      code: 'clock-skew',
      seen: expect.stringContaining('600.2 ms apart'),
    });
  });

  test('no clock at all is a failure', () => {
    expect(judgeClocks([], 500)[0]?.verdict).toBe('fail');
  });
});

describe('versions', () => {
  const on = (...v: string[]) => v.map((version, i) => ({ name: `n${i + 1}`, version }));

  test.each(['4.1.10', '5.0.6'])('Cassandra %s passes', (v) => {
    expect(judgeCassandra(on(v, v))[0]?.verdict).toBe('pass');
  });

  test.each(['3.11.16', '4.0.13', '5.1.0', '4.10.1'])('Cassandra %s is refused', (v) => {
    expect(judgeCassandra(on(v))[0]).toMatchObject({ verdict: 'fail', code: 'version-unsupported' });
  });

  test.each(['7.17.29', '8.0.1', '8.19.0'])('Elasticsearch %s passes', (v) => {
    expect(judgeElasticsearch(on(v))[0]?.verdict).toBe('pass');
  });

  test.each(['7.10.2', '9.0.0', '6.8.23'])('Elasticsearch %s is refused', (v) => {
    expect(judgeElasticsearch(on(v))[0]).toMatchObject({ verdict: 'fail', code: 'version-unsupported' });
  });

  test('an upgrade under way is refused, and both versions are named', () => {
    const [r] = judgeCassandra(on('4.1.10', '5.0.6'));
    expect(r).toMatchObject({ verdict: 'fail', seen: 'Cassandra 4.1.10 on n1; Cassandra 5.0.6 on n2' });
  });
});

describe('services', () => {
  const of = (service: 'cassandra' | 'thehive', exitCode: number) =>
    judgeService({ service, node: 'n1', exitCode, said: 'inactive', start: 'systemctl start x' });

  test('a configuration in which no node runs TheHive fails', () => {
    const { node } = localCluster();
    expect(judgeRoles([{ ...node, thehive: true }])).toEqual([]);
    expect(judgeRoles([node])).toMatchObject([{ verdict: 'fail', cure: expect.stringContaining('thehive: true') }]);
  });

  test('a database that is not active fails, with the command that starts it', () => {
    expect(of('cassandra', 3)).toMatchObject({
      verdict: 'fail',
      node: 'n1',
      cure: 'on n1: systemctl start x',
      seen: 'cassandra is not active (status command ended with 3: inactive)',
    });
  });

  test('TheHive that is not active is a warning: a backup does not need it', () => {
    expect(of('thehive', 3).verdict).toBe('warn');
    expect(of('thehive', 0).verdict).toBe('pass');
  });
});

describe('nodes-up', () => {
  const ids = ['a', 'b', 'c'].map((x) => `${x.repeat(8)}-0000-0000-0000-000000000000`);
  const line = (i: number, state = 'UN'): StatusLine => ({
    state,
    words: state,
    address: `10.0.0.${i + 1}`,
    hostId: ids[i] as string,
    datacenter: 'dc1',
  });
  const known = (...of: number[]) =>
    of.map((i) => ({ name: `n${i + 1}`, address: `10.0.0.${i + 1}`, hostId: ids[i] as string }));
  const start = (node: string) => `start ${node}`;

  test('all nodes UN in every view passes', () => {
    const lines = [line(0), line(1)];
    expect(
      judgeViews(
        [
          { from: 'n1', lines },
          { from: 'n2', lines },
        ],
        known(0, 1),
        start,
      ),
    ).toEqual([{ verdict: 'pass', seen: '2 of 2 nodes are UN, as seen by n1, n2' }]);
  });

  test('a node that one other sees as down fails, by name', () => {
    const views = [
      { from: 'n1', lines: [line(0), line(1, 'DN')] },
      { from: 'n2', lines: [line(0), line(1)] },
    ];
    expect(judgeViews(views, known(0, 1), start)).toEqual([
      { verdict: 'fail', seen: 'n2 is DN (DN) as seen by n1', cure: 'on n2: start n2', node: 'n2' },
    ]);
  });

  test('a node of the cluster that the configuration does not name fails', () => {
    const [r] = judgeViews([{ from: 'n1', lines: [line(0), line(1)] }], known(0), start);
    expect(r).toMatchObject({
      verdict: 'fail',
      code: 'topology-mismatch',
      seen: expect.stringContaining(ids[1] ?? ''),
    });
  });

  test('a node of the configuration that the cluster does not know fails', () => {
    const results = judgeViews([{ from: 'n1', lines: [line(0)] }], known(0, 1), start);
    expect(results).toMatchObject([{ verdict: 'fail', node: 'n2', code: 'topology-mismatch' }]);
  });

  test('a node that could not be asked is known by its address', () => {
    const asked = [...known(0), { name: 'n2', address: '10.0.0.2', hostId: undefined }];
    const results = judgeViews([{ from: 'n1', lines: [line(0), line(1, 'DN')] }], asked, start);
    expect(results).toMatchObject([{ verdict: 'fail', node: 'n2' }]);
  });

  test('a replaced node under the old address is not taken for the old one', () => {
    const replaced = { ...line(1), hostId: ids[2] as string };
    const results = judgeViews([{ from: 'n1', lines: [line(0), replaced] }], known(0, 1), start);
    expect(results.map((r) => r.code)).toEqual(['topology-mismatch', 'topology-mismatch']);
  });
});

describe('addresses', () => {
  const at = (node: string, listens: string, machine: string[]) => ({
    node,
    configured: listens,
    listens,
    machine: ['127.0.0.1', '172.17.0.1', ...machine],
  });

  test('that are those of each node pass', () => {
    const found = [at('n1', '10.0.0.1', ['10.0.0.1']), at('n2', '10.0.0.2', ['10.0.0.2'])];
    expect(judgeAddresses(found)).toEqual([{ verdict: 'pass', seen: 'of n1, n2 the address is their own' }]);
  });

  test('that were taken for each other are refused, with both nodes', () => {
    const found = [at('n1', '10.0.0.2', ['10.0.0.1']), at('n2', '10.0.0.1', ['10.0.0.2'])];
    expect(judgeAddresses(found)).toMatchObject([
      { verdict: 'fail', node: 'n1', code: 'topology-mismatch', cure: expect.stringMatching(/n1 and n2 in skep.yaml/) },
      { verdict: 'fail', node: 'n2', code: 'topology-mismatch' },
    ]);
  });

  test('of containers, and of nodes on one machine, tell nothing', () => {
    const containers = [at('n1', '172.17.0.2', ['10.0.0.1']), at('n2', '172.17.0.2', ['10.0.0.2'])];
    expect(judgeAddresses(containers)).toMatchObject([{ verdict: 'pass' }]);
    const both = ['10.0.0.1', '10.0.0.2'];
    expect(judgeAddresses([at('n1', '10.0.0.2', both), at('n2', '10.0.0.1', both)])).toMatchObject([
      { verdict: 'pass' },
    ]);
  });
});

describe('schema', () => {
  test('one version passes, two fail with who has which', () => {
    expect(judgeSchema(new Map([['n1', 'v'], ['n2', 'v']]))[0]?.verdict).toBe('pass'); // prettier-ignore
    expect(
      judgeSchema(
        new Map([
          ['n1', 'v'],
          ['n2', 'w'],
        ]),
      )[0],
    ).toMatchObject({
      // prettier-ignore
      verdict: 'fail',
      seen: '2 versions: v on n1; w on n2',
    });
  });
});

describe('keyspace', () => {
  const good = { name: 'thehive', exists: true, tables: 9, counters: [], views: [] };

  test('counters, materialised views, no table and no keyspace fail', () => {
    expect(judgeKeyspace(good).verdict).toBe('pass');
    expect(judgeKeyspace({ ...good, counters: ['hits'] })).toMatchObject({
      verdict: 'fail',
      seen: expect.stringContaining('hits'),
    });
    expect(judgeKeyspace({ ...good, views: ['by_name'] })).toMatchObject({
      verdict: 'fail',
      seen: expect.stringContaining('by_name'),
    });
    expect(judgeKeyspace({ ...good, tables: 0 }).verdict).toBe('fail');
    expect(judgeKeyspace({ ...good, exists: false }).verdict).toBe('fail');
  });
});

describe('streams', () => {
  const idle = { node: 'n1', streams: [], repairs: [], tasks: [] };

  test('a stream, a repair or a validation fails', () => {
    expect(judgeActivity({ ...idle, streams: ['REPAIR at 40 %'] }).verdict).toBe('fail');
    expect(judgeActivity({ ...idle, repairs: ['thehive'] }).verdict).toBe('fail');
    expect(judgeActivity({ ...idle, tasks: ['validation'] }).verdict).toBe('fail');
  });

  test('compactions pass and are told', () => {
    expect(judgeActivity({ ...idle, tasks: ['compaction', 'compaction'] })).toEqual({
      verdict: 'pass',
      node: 'n1',
      seen: 'no stream, no repair; 2 tasks on SSTables (2 × compaction)',
    });
  });
});

describe('sudo', () => {
  test('that runs all of it passes', () => {
    expect(judgeSudo('n1', [])).toMatchObject({ verdict: 'pass', node: 'n1' });
  });

  test('that refuses something is told by the commands, with what lets it run them', () => {
    expect(judgeSudo('n1', ['systemctl start thehive'])).toMatchObject({
      verdict: 'fail',
      code: 'sudo-refused',
      seen: expect.stringContaining('systemctl start thehive'),
      cure: expect.stringContaining('skep init --sudoers'),
    });
  });
});
