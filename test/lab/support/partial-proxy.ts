import { readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { Agent, request } from 'node:https';
import { buffer } from 'node:stream/consumers';
import type { AddressInfo } from 'node:net';
import type { LabRecord } from '../../../lab/index.ts';

/**
 * Stands before Elasticsearch and makes every snapshot that has ended well look `PARTIAL`, with one failed shard: a
 * state that a healthy cluster cannot be made to show.
 */
export async function partialProxy(lab: LabRecord): Promise<{ url: string; close(): Promise<void> }> {
  const [target] = lab.elasticsearch.urls as [string];
  const ca = lab.elasticsearch.caFile === undefined ? undefined : await readFile(lab.elasticsearch.caFile);
  const agent = new Agent({ ...(ca ? { ca } : {}), keepAlive: true });
  const server: Server = createServer((ask, answer) => {
    const upstream = request(
      new URL(ask.url ?? '/', target),
      {
        method: ask.method,
        headers: { ...ask.headers, host: new URL(target).host, 'accept-encoding': 'identity' },
        agent,
      },
      (r) => {
        buffer(r).then((body) => {
          const isSnapshot = ask.method === 'GET' && /^\/_snapshot\/[^/]+\/skep-/.test(ask.url ?? '');
          const out = isSnapshot ? Buffer.from(makePartial(body.toString('utf8'))) : body;
          const { 'transfer-encoding': _, ...headers } = r.headers;
          answer.writeHead(r.statusCode ?? 500, { ...headers, 'content-length': out.length });
          answer.end(out);
        }, answer.destroy.bind(answer));
      },
    );
    upstream.on('error', (e) => answer.destroy(e));
    ask.pipe(upstream);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => {
          agent.destroy();
          resolve();
        });
      }),
  };
}

function makePartial(text: string): string {
  const body = JSON.parse(text) as { snapshots?: { state: string; shards?: { failed: number; successful: number } }[] };
  for (const s of body.snapshots ?? []) {
    if (s.state !== 'SUCCESS' || !s.shards) continue;
    s.state = 'PARTIAL';
    s.shards.failed = 1;
    s.shards.successful -= 1;
  }
  return JSON.stringify(body);
}
