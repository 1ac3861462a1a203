import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { parseCluster } from '../../../src/config/load.ts';
import type { Search } from '../../../src/drivers/elasticsearch/client.ts';
import { reindexByTheHive } from '../../../src/run/reindex-by-thehive.ts';

const INDICES = [{ name: 'thehive_global', docs: 3 }];
const PATIENCE = { beginMs: 2_000, quietMs: 50 };

let server: Server;
/** What a TheHive does when it is asked to index again: the answer's status, and the writes that come of it. */
let behaviour: { status: number; afterMs: number; writes: number };
let written = 0;
let asked: { path: string; key: string | undefined }[] = [];

beforeEach(async () => {
  written = 100;
  asked = [];
  server = createServer((request, response) => {
    const path = request.url ?? '';
    if (path === '/api/v1/status/public') return void response.end('{}');
    asked.push({ path, key: request.headers.authorization });
    response.statusCode = behaviour.status;
    response.end('{}');
    const write = (left: number): void => {
      if (left === 0) return;
      written += 1;
      setTimeout(write, 10, left - 1);
    };
    setTimeout(write, behaviour.afterMs, behaviour.writes);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});

afterEach(() => {
  server.close();
});

const search = {
  request: async () => ({ _all: { primaries: { indexing: { index_total: written } } } }),
} as unknown as Search;

function reindex() {
  process.env['REINDEX_TEST_KEY'] = 'of-an-administrator';
  const { port } = server.address() as AddressInfo;
  const cluster = parseCluster(
    `version: 1
clusters:
  c:
    repository: /r
    nodes: [{ name: n1, cassandra: 127.0.0.1, thehive: true }]
    cassandra: { user: u, password: { env: X } }
    elasticsearch: { urls: ["http://127.0.0.1:1"], staging: { location: /s, node: n1 } }
    files: { location: /f, node: n1 }
    index: { reconcile: thehive, thehive: { url: "http://127.0.0.1:${port}", api_key: { env: REINDEX_TEST_KEY } } }
`,
    { file: 'skep.yaml' },
  );
  return reindexByTheHive({ cluster, search }, INDICES, AbortSignal.timeout(20_000), PATIENCE);
}

test('a reindex that begins late is waited for to its end', async () => {
  behaviour = { status: 204, afterMs: 300, writes: 12 };
  expect(await reindex()).toEqual({ ghosts: 0, reindexed: 12 });
  expect(asked).toEqual([{ path: '/api/v1/admin/index/global/reindex', key: 'Bearer of-an-administrator' }]);
});

test('one that never writes is a failure, not an index that is up to date', async () => {
  behaviour = { status: 204, afterMs: 0, writes: 0 };
  await expect(reindex()).rejects.toMatchObject({ code: 'restore-failed' });
});

test.each([
  [401, 'thehive-credentials'],
  [403, 'thehive-credentials'],
  [500, 'command-failed'],
])('status %i is %s, and the key is not told', async (status, code) => {
  behaviour = { status, afterMs: 0, writes: 0 };
  const error = await reindex().catch((e: unknown) => e);
  expect(error).toMatchObject({ code });
  expect(JSON.stringify(error)).not.toContain('of-an-administrator');
});
