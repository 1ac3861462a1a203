import { describe, expect, test } from 'vitest';
import type { Space } from '../../../src/protocol/methods.ts';
import type { Connections } from '../../../src/run/connections.ts';
import { accessFor, lookFromNodes, requireReading, tellDataPaths } from '../../../src/run/data-path.ts';
import { Relay } from '../../../src/run/relay.ts';
import { temporaryFolder } from '../support/folder.ts';
import { initRepository } from '../../../src/repository/index.ts';

const { signal } = new AbortController();

/** Three nodes; on those of `absent` the repository's folder is not there, on those of `readOnly` it may only be read. */
function connections(o: {
  path?: 'auto' | 'direct' | 'relay';
  absent?: string[];
  readOnly?: string[];
  closed?: string[];
  location?: string;
}): Connections {
  const { location = '/repository', absent = [], readOnly = [], closed = [] } = o;
  const names = ['n1', 'n2', 'n3'];
  const space = (node: string): Partial<Space> => ({
    path: location,
    exists: !absent.includes(node),
    readable: !closed.includes(node),
    writable: ![...readOnly, ...closed].includes(node),
  });
  const agent = (node: string) => {
    const self = { call: async () => ({ user: 'skep', space: [space(node), space(node)] }), as: () => self };
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
    const c = connections({ absent: ['n2'] });
    await lookFromNodes(c, signal);
    expect(accessFor(c, 'n1', 'files')).toBe(c.access);
    expect(accessFor(c, 'n2', 'cassandra')).toEqual({ ...c.access, relayed: true });
    expect(tellDataPaths(c)).toEqual([
      'n1, n3 write straight into /repository',
      'n2 sends through this machine (/repository is not there)',
    ]);
  });

  test('is through this machine for all where that is wanted, and then nobody is given the credentials of a storage', async () => {
    const c = connections({ path: 'relay' });
    c.access = { location: 's3://bucket', s3: { region: 'x', pathStyle: true } };
    await lookFromNodes(c, signal);
    expect(accessFor(c, 'n3', 'cassandra')).toEqual({ location: 's3://bucket', relayed: true });
    expect(tellDataPaths(c)).toHaveLength(3);
  });

  test('is never through this machine where that is not wanted', async () => {
    const c = connections({ path: 'direct', absent: ['n2'] });
    await lookFromNodes(c, signal);
    expect(accessFor(c, 'n2', 'cassandra')).toBe(c.access);
  });
});

describe('a restore', () => {
  test('is refused for a node that must read the repository itself and does not have it', async () => {
    const refused = { code: 'repository-missing', context: { node: 'n3' }, hint: expect.stringContaining('n3') };
    const c = connections({ path: 'direct', absent: ['n3'] });
    await expect(requireReading(c, signal)).rejects.toMatchObject(refused);
  });

  test('is refused for a node that may not read it', async () => {
    const refused = { code: 'preflight-failed', context: { node: 'n3' }, hint: expect.stringContaining('n3') };
    await expect(requireReading(connections({ closed: ['n3'] }), signal)).rejects.toMatchObject(refused);
  });

  test('goes on with nodes that may only read it, or are answered by this machine', async () => {
    await requireReading(connections({ readOnly: ['n1'], absent: ['n2'] }), signal);
  });
});

test('a node that was not told to send through this machine is not answered', async () => {
  const location = await temporaryFolder();
  await initRepository(location, { clusterName: 'c', clusterId: 'c' });
  const c = connections({ location, absent: ['n2'] });
  await lookFromNodes(c, signal);
  for (const node of ['n1', 'n2', 'n3']) accessFor(c, node, 'cassandra');
  await expect(c.relay.serve('n1')).rejects.toMatchObject({ code: 'protocol-error' });
  await (await c.relay.serve('n2')).end();
});
