import { expect, onTestFinished, test, vi } from 'vitest';
import * as cql from '../../../src/drivers/cassandra/cql.ts';
import * as agents from '../../../src/remote/agent-client.ts';
import { connectSome } from '../../../src/run/connect-some.ts';
import { localCluster } from '../support/cluster.ts';

vi.mock('../../../src/drivers/cassandra/cql.ts', { spy: true });
vi.mock('../../../src/remote/agent-client.ts', { spy: true });

test('a secret of Elasticsearch that cannot be read leaves no agent and no session behind', async () => {
  const close = { agent: vi.fn(async () => {}), cql: vi.fn(async () => {}) };
  vi.mocked(agents.openAgent).mockResolvedValue({ close: close.agent } as unknown as agents.Agent);
  vi.mocked(cql.openCql).mockResolvedValue({ close: close.cql } as unknown as cql.Cql);
  onTestFinished(() => void vi.resetAllMocks());
  const { cluster } = localCluster();
  const elasticsearch = { ...cluster.elasticsearch, user: 'skep', password: { file: '/none/es' } };
  const { signal } = new AbortController();
  await expect(connectSome({ ...cluster, elasticsearch }, signal)).rejects.toMatchObject({ code: 'secret-unreadable' });
  expect(close.agent).toHaveBeenCalledTimes(1);
  expect(close.cql).toHaveBeenCalledTimes(1);
});
