import { Agent, request } from 'node:https';
import { request as plainRequest } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { readCa } from '../../config/pem-file.ts';
import type { ClusterConfig } from '../../config/schema.ts';
import { readSecret } from '../../config/secrets.ts';
import { SkepError } from '../../errors.ts';

/** TheHive's administration interface, as far as a restore needs it. */
export interface TheHive {
  /** Has TheHive index every entity of an index again, in the background. Source: vendor's administration guide. */
  reindex(name: string): Promise<void>;
}

/** How the configuration says to reach TheHive. Errors: `config-invalid`, `secret-unreadable`. */
export async function theHiveAccess(cluster: ClusterConfig): Promise<{ url: string; key: string; ca?: string }> {
  const c = cluster.index.thehive;
  if (!c) throw new SkepError('config-invalid', 'index.thehive is missing');
  const key = await readSecret(c.api_key, 'index.thehive.api_key');
  return { url: c.url, key, ...(c.ca_file ? { ca: await readCa(c.ca_file, 'index.thehive.ca_file') } : {}) };
}

/** Waits until TheHive answers. Errors: `config-invalid`, `command-failed` after five minutes of silence; of `reindex`: `thehive-credentials`, `command-failed`. */
export async function openTheHive(cluster: ClusterConfig, signal: AbortSignal): Promise<TheHive> {
  const { url, key, ca } = await theHiveAccess(cluster);
  const agent = ca === undefined ? undefined : new Agent({ ca });
  const call = (method: string, path: string) => send(new URL(path, url), method, key, agent, signal);
  const deadline = Date.now() + 300_000;
  for (;;) {
    const status = await call('GET', '/api/v1/status/public').catch(() => 0);
    if (status === 200) break;
    if (Date.now() > deadline) throw new SkepError('command-failed', `TheHive does not answer at ${url}`);
    await delay(1000, undefined, { signal });
  }
  return {
    async reindex(name) {
      const status = await call('POST', `/api/v1/admin/index/${encodeURIComponent(name)}/reindex`);
      if (status >= 200 && status < 300) return;
      if (status === 401 || status === 403) {
        throw new SkepError('thehive-credentials', `TheHive refused to index ${name} again: status ${status}`);
      }
      throw new SkepError('command-failed', `TheHive did not index ${name} again: status ${status}`, {
        hint: "Look into TheHive's log, then run the same `skep restore` again: it goes on where it stopped.",
      });
    },
  };
}

async function send(
  url: URL,
  method: string,
  key: string,
  agent: Agent | undefined,
  signal: AbortSignal,
): Promise<number> {
  const open = url.protocol === 'https:' ? request : plainRequest;
  return new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${key}` };
    const r = open(url, { method, headers, signal, timeout: 30_000, ...(agent ? { agent } : {}) }, (answer) => {
      buffer(answer).then(() => resolve(answer.statusCode ?? 0), reject);
    });
    r.on('timeout', () => r.destroy(new Error('no answer in time')));
    r.on('error', reject);
    r.end();
  });
}
