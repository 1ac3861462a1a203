import { readFile } from 'node:fs/promises';
import { Client } from '@elastic/elasticsearch';
import type { LabRecord } from './record.ts';

/** A client of the lab's Elasticsearch as its superuser; the caller closes it. */
export async function connectElasticsearch(lab: LabRecord): Promise<Client> {
  const { urls, user, passwordFile, caFile } = lab.elasticsearch;
  return new Client({
    nodes: urls,
    requestTimeout: 60_000,
    ...(user === undefined || passwordFile === undefined
      ? {}
      : { auth: { username: user, password: (await readFile(passwordFile, 'utf8')).trim() } }),
    ...(caFile === undefined ? {} : { tls: { ca: await readFile(caFile) } }),
  });
}

/** Runs `task` with a client that is closed afterwards. */
export async function withElasticsearch<T>(lab: LabRecord, task: (client: Client) => Promise<T>): Promise<T> {
  const client = await connectElasticsearch(lab);
  try {
    return await task(client);
  } finally {
    await client.close();
  }
}

/** Waits until so many nodes are one green cluster. */
export async function awaitGreen(client: Client, nodes: number, limitMs: number, signal?: AbortSignal): Promise<void> {
  const end = Date.now() + limitMs;
  for (;;) {
    try {
      const health = await client.cluster.health(
        { wait_for_nodes: String(nodes), wait_for_status: 'green', timeout: '5s' },
        { requestTimeout: 10_000, maxRetries: 0, ...(signal === undefined ? {} : { signal }) },
      );
      if (health.status === 'green' && !health.timed_out && health.number_of_nodes === nodes) return;
    } catch (e) {
      signal?.throwIfAborted();
      if (Date.now() > end) throw e;
    }
    if (Date.now() > end) throw new Error('elasticsearch of the lab is not green');
  }
}
