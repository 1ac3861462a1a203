import { describe, expect, test } from 'vitest';
import { judgeReach } from '../../../src/checks/repository.ts';
import type { Space } from '../../../src/protocol/methods.ts';
import type { Connections } from '../../../src/run/connections.ts';
import { accessFor, lookFromNodes, requireReading, tellDataPaths } from '../../../src/run/data-path.ts';
import { Relay } from '../../../src/run/relay.ts';
import { temporaryFolder } from '../support/folder.ts';
import { initRepository } from '../../../src/repository/index.ts';

const { signal } = new AbortController();

/**
 * Three nodes and a repository; on the nodes of `absent` its folder is not there, on those of `readOnly` it may only be read, on those
 * of `closed` not even that, and on those of `foreign` another repository is in its place.
 */
async function connections(o: {
  path?: 'auto' | 'direct' | 'relay';
  absent?: string[];
  readOnly?: string[];
  closed?: string[];
  foreign?: string[];
}): Promise<Connections> {
  const { absent = [], readOnly = [], closed = [], foreign = [] } = o;
  const location = await temporaryFolder();
  const { id } = await initRepository(location, { clusterName: 'c', clusterId: 'c' });
  const names = ['n1', 'n2', 'n3'];
  const space = (node: string): Partial<Space> => ({
    path: location,
    exists: !absent.includes(node),
    readable: !closed.includes(node),
    writable: ![...readOnly, ...closed].includes(node),
  });
  const agent = (node: string) => {
    const answers: Record<string, unknown> = {
      'node.facts': { user: 'skep', space: [space(node), space(node)] },
      'look.repository': { id: foreign.includes(node) ? 'f'.repeat(32) : id },
    };
    const self = { call: async (method: string) => answers[method], as: () => self };
    return self;
  };
  const access = { location, identities: ['AGE-SECRET-KEY-1'] };
  return {
    cluster: {
      agent: { data_path: o.path ?? 'auto', become: 'none' },
      nodes: names.map((name) => ({ name, cassandra: '127.0.0.1' })),
      files: { node: 'n1' },
      elasticsearch: { staging: { node: 'n1' } },
    },
    agents: new Map(names.map((name) => [name, agent(name)])),
    access,
    relay: new Relay(access),
  } as unknown as Connections;
}

describe('how the data of a node get into the repository', () => {
  test('is straight where it reaches it, through this machine where it does not', async () => {
    const c = await connections({ absent: ['n2'] });
    await lookFromNodes(c, signal);
    expect(accessFor(c, 'n1', 'files')).toBe(c.access);
    expect(accessFor(c, 'n2', 'cassandra')).toEqual({ ...c.access, relayed: true });
    expect(tellDataPaths(c)).toEqual([
      `n1, n3 write straight into ${c.access.location}`,
      `n2 sends through this machine (${c.access.location} is not there)`,
    ]);
  });

  test('is through this machine for all where that is wanted, and then nobody is given the credentials of a storage', async () => {
    const c = await connections({ path: 'relay' });
    c.access = { location: 's3://bucket', s3: { region: 'x', pathStyle: true } };
    await lookFromNodes(c, signal);
    expect(accessFor(c, 'n3', 'cassandra')).toEqual({ location: 's3://bucket', relayed: true });
    expect(tellDataPaths(c)).toHaveLength(3);
  });

  test('is never through this machine where that is not wanted', async () => {
    const c = await connections({ path: 'direct', absent: ['n2'] });
    await lookFromNodes(c, signal);
    expect(accessFor(c, 'n2', 'cassandra')).toBe(c.access);
  });
});

describe('another repository that is mounted on a node in the place of this one', () => {
  test('is refused, and nothing goes through this machine instead', async () => {
    const c = await connections({ foreign: ['n2'] });
    const reach = await lookFromNodes(c, signal);
    const { location } = c.access;
    expect(reach.map(({ found }) => found.as)).toEqual(['there', 'unfit', 'there']);
    expect(judgeReach('n2', reach[1]!.found, 'auto')).toEqual([
      {
        verdict: 'fail',
        seen: expect.stringMatching(`^${location} is another repository there \\(f{32}, not [0-9a-f]{32}\\)$`),
        cure: expect.stringContaining('on n2: mount'),
        code: 'repository-foreign',
        node: 'n2',
      },
    ]);
    expect(accessFor(c, 'n2', 'cassandra')).toBe(c.access);
  });

  test('is not restored from, though it can be read', async () => {
    const refused = { code: 'repository-foreign', context: { node: 'n2' } };
    const c = await connections({ foreign: ['n2'], readOnly: ['n2'] });
    await expect(requireReading(c, signal)).rejects.toMatchObject(refused);
  });
});

describe('a restore', () => {
  test('is refused for a node that must read the repository itself and does not have it', async () => {
    const refused = { code: 'repository-missing', context: { node: 'n3' }, hint: expect.stringContaining('n3') };
    const c = await connections({ path: 'direct', absent: ['n3'] });
    await expect(requireReading(c, signal)).rejects.toMatchObject(refused);
  });

  test('is refused for a node that may not read it', async () => {
    const refused = { code: 'preflight-failed', context: { node: 'n3' }, hint: expect.stringContaining('n3') };
    await expect(requireReading(await connections({ closed: ['n3'] }), signal)).rejects.toMatchObject(refused);
  });

  test('goes on with nodes that may only read it, or are answered by this machine', async () => {
    await requireReading(await connections({ readOnly: ['n1'], absent: ['n2'] }), signal);
  });
});

test('a node that was not told to send through this machine is not answered', async () => {
  const c = await connections({ absent: ['n2'] });
  await lookFromNodes(c, signal);
  for (const node of ['n1', 'n2', 'n3']) accessFor(c, node, 'cassandra');
  await expect(c.relay.serve('n1')).rejects.toMatchObject({ code: 'protocol-error' });
  await (await c.relay.serve('n2')).end();
});
