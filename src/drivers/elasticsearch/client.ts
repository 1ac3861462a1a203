import type { ClientOptions, errors } from '@elastic/elasticsearch';
import { readCa } from '../../config/pem-file.ts';
import type { ClusterConfig } from '../../config/schema.ts';
import { readSecret } from '../../config/secrets.ts';
import { SkepError } from '../../errors.ts';

/** One request to Elasticsearch; the answer is its JSON. Every failure is a SkepError. */
export interface Search {
  request<T = Record<string, unknown>>(
    method: 'GET' | 'PUT' | 'POST' | 'DELETE',
    path: string,
    opts?: {
      query?: Record<string, string | number | boolean>;
      body?: unknown;
      ndjson?: unknown[];
      timeoutMs?: number;
    },
  ): Promise<T>;
  close(): Promise<void>;
}

/** HTTP status of a failed request, if it had one. */
export function statusOf(e: unknown): number | undefined {
  return e instanceof SkepError && typeof e.context.status === 'number' ? e.context.status : undefined;
}

/** Errors of requests: `elasticsearch-credentials` (401, 403), `elasticsearch-failed`. */
export async function openSearch(cluster: ClusterConfig): Promise<Search> {
  // Loading it takes longer than all else at a start, and many commands and every agent never ask Elasticsearch.
  const { Client } = await import('@elastic/elasticsearch');
  const c = cluster.elasticsearch;
  const client = new Client({
    nodes: c.urls,
    maxRetries: 2,
    requestTimeout: 60_000,
    ...(await authOf(c)),
    ...(c.ca_file ? { tls: { ca: await readCa(c.ca_file, 'elasticsearch.ca_file') } } : {}),
  });
  return {
    async request(method, path, opts = {}) {
      try {
        return await client.transport.request(
          {
            method,
            path,
            ...(opts.query ? { querystring: opts.query } : {}),
            ...(opts.ndjson ? { bulkBody: opts.ndjson as Record<string, unknown>[] } : {}),
            ...(opts.body === undefined ? {} : { body: opts.body as Record<string, unknown> }),
          },
          { ...(opts.timeoutMs ? { requestTimeout: opts.timeoutMs } : {}) },
        );
      } catch (e) {
        throw translate(e, method, path);
      }
    },
    close: () => client.close(),
  };
}

async function authOf({ user, password, api_key: apiKey }: ClusterConfig['elasticsearch']): Promise<ClientOptions> {
  if (apiKey) return { auth: { apiKey: await readSecret(apiKey, 'elasticsearch.api_key') } };
  if (!user || !password) return {};
  return { auth: { username: user, password: await readSecret(password, 'elasticsearch.password') } };
}

function translate(e: unknown, method: string, path: string): SkepError {
  const what = `${method} ${path.split('?')[0]}`;
  if (isResponseError(e)) {
    const status = e.statusCode ?? 0;
    const reason = reasonOf(e.body) ?? e.message.split('\n')[0];
    if (status === 401 || status === 403) {
      return new SkepError('elasticsearch-credentials', `elasticsearch refused ${what}: ${status}`, {
        context: { status, what },
      });
    }
    return new SkepError('elasticsearch-failed', `${what}: ${status} ${reason}`, { context: { status, what } });
  }
  const name = e instanceof Error ? e.name : 'Error';
  const message = e instanceof Error ? e.message : String(e);
  return new SkepError('elasticsearch-failed', `${what}: ${name}: ${message}`, {
    context: { what },
    retryable: name === 'ConnectionError' || name === 'TimeoutError',
    cause: e,
  });
}

function isResponseError(e: unknown): e is errors.ResponseError {
  return e instanceof Error && e.name === 'ResponseError';
}

interface Reason {
  type?: string;
  reason?: string;
  caused_by?: Reason;
}

/** The reason and the one at the bottom of its causes, which is the one that can be mended. */
function reasonOf(body: unknown): string | undefined {
  const error = (body as { error?: Reason } | undefined)?.error;
  const top = error?.reason ?? error?.type;
  let last = error;
  while (last?.caused_by) last = last.caused_by;
  const bottom = last?.reason ?? last?.type;
  return bottom === undefined || bottom === top ? top : `${top}: ${bottom}`;
}
