import { readFileSync } from 'node:fs';
import { Client, errors } from '@elastic/elasticsearch';
import { SkepError } from '../../src/errors.ts';
import type { Endpoints } from './endpoints.ts';

/** Elasticsearch by plain paths, so that one code serves 7.17 and 8.19, whose jars lack some modules. */
export class SearchClient {
  readonly #client: Client;

  constructor(endpoints: Endpoints['elasticsearch']) {
    const { urls, caFile, user, password } = endpoints;
    this.#client = new Client({
      nodes: urls,
      ...(user !== undefined && password !== undefined ? { auth: { username: user, password } } : {}),
      ...(caFile === undefined ? {} : { tls: { ca: readFileSync(caFile) } }),
      maxRetries: 3,
      requestTimeout: 60_000,
    });
  }

  /** The parsed body of the answer. Throws `elasticsearch-failed` with the status and the server's reason. */
  async request(method: 'GET' | 'PUT' | 'POST' | 'DELETE', path: string, body?: object): Promise<unknown> {
    const [pathname = path, querystring = ''] = path.split('?');
    try {
      return await this.#client.transport.request({
        method,
        path: pathname,
        querystring,
        ...(body === undefined ? {} : { body }),
      });
    } catch (e) {
      const status = e instanceof errors.ResponseError ? e.statusCode : undefined;
      const message = e instanceof Error ? e.message : String(e);
      throw new SkepError('elasticsearch-failed', `${method} ${pathname}: ${message}`, {
        cause: e,
        context: { status },
      });
    }
  }

  /** Like `request`, but undefined where the answer is 404. */
  async find(path: string): Promise<unknown> {
    try {
      return await this.request('GET', path);
    } catch (e) {
      if (e instanceof SkepError && e.context['status'] === 404) return undefined;
      throw e;
    }
  }

  async close(): Promise<void> {
    await this.#client.close();
  }
}
