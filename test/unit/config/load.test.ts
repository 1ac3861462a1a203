import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import { stringify } from 'yaml';
import { cassandraNodes, defaultConfigFiles, forNode, loadCluster, parseCluster } from '../../../src/config/load.ts';
import { SkepError } from '../../../src/errors.ts';
import { minimalConfig } from '../support/cluster.ts';
import { temporaryFolder } from '../support/folder.ts';

type Cluster = ReturnType<typeof minimalConfig>['clusters'][string];

/** The error that a configuration ends in after a change to its only cluster. */
function refusal(change: (c: Cluster & Record<string, any>) => void): SkepError {
  const config = minimalConfig();
  change(config.clusters.prod as Cluster);
  return refusalOf(stringify(config));
}

function refusalOf(text: string, cluster?: string): SkepError {
  try {
    parseCluster(text, { file: 'skep.yaml', ...(cluster === undefined ? {} : { cluster }) });
  } catch (e) {
    expect(e).toBeInstanceOf(SkepError);
    return e as SkepError;
  }
  throw new Error('the configuration was taken');
}

describe('a configuration', () => {
  test('with the least that is needed gets what a usual cluster has', () => {
    const c = parseCluster(stringify(minimalConfig()), { file: 'skep.yaml' });
    expect(c).toMatchObject({
      name: 'prod',
      cassandra: { keyspace: 'thehive', port: 9042, service: { start: ['systemctl', 'start', 'cassandra'] } },
      cut: { linger: 100_000, max_clock_skew: 500, attempts: 3, snapshot_ttl: 86_400_000 },
      files: { poll: 200 },
      restore: { repair: true },
    });
    expect(cassandraNodes(c).map((n) => n.name)).toEqual(['n1']);
    expect(forNode(['a-{node}-{node}', 'b'], 'n1')).toEqual(['a-n1-n1', 'b']);
  });

  const wrong: [string, string, (c: Cluster & Record<string, any>) => void][] = [
    ['a relative repository', 'clusters.prod.repository', (c) => (c.repository = 'backups')],
    ['no repository', 'clusters.prod.repository', (c) => delete c.repository],
    ['no node', 'clusters.prod.nodes', (c) => (c.nodes = [])],
    [
      'a name of a node that a shell or a path would read',
      'clusters.prod.nodes.0.name',
      (c) => (c.nodes[0].name = '../n1'),
    ],
    ['an unknown transport', 'clusters.prod.nodes.0.transport', (c) => (c.nodes[0].transport = 'telnet')],
    ['a command transport without its prefix', 'nodes.0.via', (c) => (c.nodes[0].transport = 'command')],
    ['a prefix for ssh', 'nodes.0.via', (c) => (c.nodes[0].via = ['docker', 'exec', '-i', 'x'])],
    ['sudo without a folder for the agents', 'agent.folder', (c) => (c.agent = { become: 'sudo' })],
    ['configurations into a repository that is not sealed', 'config', (c) => (c.config = {})],
    [
      'configurations into a copy that is not sealed',
      'copies.away',
      (c) => {
        const sealing = { recipients: [`age1${'q'.repeat(58)}`], naming_key: { file: '/key' } };
        Object.assign(c, { config: {}, repository: { location: '/b', sealing }, copies: { away: '/c' } });
      },
    ],
    ['a user that is none', 'clusters.prod.agent.users.files', (c) => (c.agent = { users: { files: 'a b' } })],
    ['an agent that is there and copied', 'agent.command', (c) => (c.agent = { command: ['x'], executable: '/x' })],
    ['a key that does not exist', 'clusters.prod.cassandra', (c) => (c.cassandra.keyspaces = 'x')],
    ['no user', 'clusters.prod.cassandra.user', (c) => delete c.cassandra.user],
    ['a keyspace that needs quoting', 'clusters.prod.cassandra.keyspace', (c) => (c.cassandra.keyspace = 'x; DROP')],
    ['a password in place of its source', 'clusters.prod.cassandra.password', (c) => (c.cassandra.password = 'x')],
    [
      'two sources of a password',
      'clusters.prod.cassandra.password',
      (c) => (c.cassandra.password = { env: 'A', file: '/b' }),
    ],
    ['a port of words', 'clusters.prod.cassandra.port', (c) => (c.cassandra.port = 'ninety')],
    ['an empty command', 'clusters.prod.cassandra.nodetool', (c) => (c.cassandra.nodetool = [])],
    ['no address of Elasticsearch', 'clusters.prod.elasticsearch.urls', (c) => (c.elasticsearch.urls = [])],
    ['an address that is none', 'clusters.prod.elasticsearch.urls.0', (c) => (c.elasticsearch.urls = ['es:9200'])],
    [
      'an account in an address',
      'clusters.prod.elasticsearch.urls.0',
      (c) => (c.elasticsearch.urls = ['http://a:b@es:9200']),
    ],
    [
      'a Gremlin Server by http',
      'clusters.prod.index.janusgraph.url',
      (c) => (c.index.janusgraph = { url: 'http://j' }),
    ],
    ['a duration without a unit', 'clusters.prod.cut.linger', (c) => (c.cut = { linger: '100' })],
    ['a duration that is a number', 'clusters.prod.cut.linger', (c) => (c.cut = { linger: 100 })],
    ['a poll of nothing', 'clusters.prod.files.poll', (c) => (c.files.poll = '0s')],
    [
      'a snapshot that Cassandra would refuse',
      'clusters.prod.cut.snapshot_ttl',
      (c) => (c.cut = { snapshot_ttl: '30s' }),
    ],
    ['S3 for attachments in a folder', 'clusters.prod.files', (c) => (c.files.s3 = { endpoint: 'https://s3.example' })],
    ['a repository among the attachments', 'repository', (c) => (c.repository = `${c.files.location}//skep`)],
    ['attachments in a place that is none', 'clusters.prod.files.location', (c) => (c.files.location = 's3:/bucket')],
    ['no attempt at a cut', 'clusters.prod.cut.attempts', (c) => (c.cut = { attempts: 0 })],
    ['an unknown way to reconcile', 'clusters.prod.index.reconcile', (c) => (c.index.reconcile = 'magic')],
    ['two nodes of one name', 'nodes', (c) => c.nodes.push(c.nodes[0])],
    ['files on a node that is not there', 'files.node', (c) => (c.files.node = 'n9')],
    ['staging on a node that is not there', 'elasticsearch.staging.node', (c) => (c.elasticsearch.staging.node = 'n9')],
    ['no node with Cassandra', 'nodes', (c) => delete c.nodes[0].cassandra],
    ['a user without a password', 'elasticsearch', (c) => (c.elasticsearch.user = 'skep')],
    ['a way to reconcile without its address', 'index.reconcile', (c) => (c.index = { reconcile: 'janusgraph' })],
  ];

  test.each(wrong)('with %s is refused, and %s is named', (_what, key, change) => {
    const e = refusal(change);
    expect(e).toMatchObject({ code: 'config-invalid', exitCode: 2, context: { file: 'skep.yaml', key } });
    expect(e.message).toContain(`skep.yaml: ${key}: `);
  });

  test('that is no YAML, or no configuration at all, is refused', () => {
    for (const text of [
      'clusters: [',
      'a: 1\na: 2',
      'clusters: *nowhere',
      '',
      '- 1',
      '"text"',
      'version: 2\nclusters: {}',
      '\0',
    ]) {
      expect(refusalOf(text)).toMatchObject({ code: 'config-invalid' });
    }
    expect(refusalOf('version: 1\nclusters:\n\t- x').message).toMatch(/^skep.yaml is not YAML: line 3: /);
  });

  test('of any shape is taken or refused with a type', () => {
    const keys = fc.constantFrom('version', 'clusters', 'prod', 'nodes', 'name', 'cassandra', 'files');
    const shape = fc.anything({ key: keys, withDate: false, maxDepth: 4 });
    fc.assert(
      fc.property(
        fc.oneof(
          shape.map((s) => JSON.stringify(s) ?? ''),
          fc.string(),
        ),
        (text) => {
          try {
            parseCluster(text, { file: 'f' });
          } catch (e) {
            expect(e).toMatchObject({ exitCode: 2 });
          }
        },
      ),
      { numRuns: 300 },
    );
  });
});

describe('what should be secret', () => {
  const SECRET = 'hunter2hunter2';

  test('is in no error, wherever it was written', () => {
    const places: ((c: Cluster & Record<string, any>) => void)[] = [
      (c) => (c.cassandra.password = SECRET),
      (c) => (c.cassandra.password = { plain: SECRET }),
      (c) => (c.cassandra.password = { command: SECRET }),
      (c) => (c.elasticsearch.password = [SECRET]),
      (c) => (c.elasticsearch.urls = [`https://elastic:${SECRET}@es:9200`]),
      (c) => (c.elasticsearch.urls = [`es:${SECRET}@ es`]),
      (c) => (c.index = { reconcile: 'thehive', thehive: { url: 'http://x', api_key: SECRET } }),
    ];
    for (const change of places) expect(JSON.stringify(refusal(change))).not.toContain(SECRET);
    for (const text of [`password: ${SECRET}: x: y`, `- ${SECRET}\n${SECRET}`, `"${SECRET}`, `{ ${SECRET} }}`]) {
      expect(JSON.stringify(refusalOf(text))).not.toContain(SECRET);
    }
  });
});

describe('the cluster', () => {
  const two = () => {
    const config = minimalConfig();
    return stringify({ ...config, clusters: { ...config.clusters, test: config.clusters.prod } });
  };

  test('that is named is given, the only one without a name, and no other', () => {
    expect(parseCluster(two(), { file: 'f', cluster: 'test' }).name).toBe('test');
    expect(refusalOf(two())).toMatchObject({
      code: 'cluster-unknown',
      message: 'f has 2 clusters: prod, test'.replace('f', 'skep.yaml'),
    });
    for (const name of ['none', 'toString', 'constructor', '__proto__']) {
      expect(refusalOf(two(), name)).toMatchObject({ code: 'cluster-unknown', exitCode: 2 });
    }
  });
});

describe('the file', () => {
  test('that is named must be there and be readable', async () => {
    const folder = await temporaryFolder();
    const file = join(folder, 'skep.yaml');
    await expect(loadCluster({ file })).rejects.toMatchObject({
      code: 'config-missing',
      exitCode: 2,
      context: { files: [file] },
    });
    await mkdir(file);
    await expect(loadCluster({ file })).rejects.toMatchObject({ code: 'config-invalid' });
    await writeFile(join(folder, 'good.yaml'), stringify(minimalConfig()));
    expect((await loadCluster({ file: join(folder, 'good.yaml'), cluster: 'prod' })).name).toBe('prod');
  });

  test('in the environment is the only one, else another cluster might be meant', async () => {
    expect(defaultConfigFiles({ SKEP_CONFIG: '/x.yaml' })).toEqual(['/x.yaml']);
    expect(defaultConfigFiles({}).map((f) => f.split('/').at(-1))).toEqual(['skep.yaml', 'skep.yaml', 'skep.yaml']);
    const missing = join(await temporaryFolder(), 'none.yaml');
    vi.stubEnv('SKEP_CONFIG', missing);
    await expect(loadCluster()).rejects.toMatchObject({ code: 'config-missing', context: { files: [missing] } });
    vi.unstubAllEnvs();
  });
});
