import gremlin from 'gremlin';
import type { ClusterConfig } from '../../config/schema.ts';
import { readSecret } from '../../config/secrets.ts';
import { SkepError } from '../../errors.ts';

/** A Gremlin Server of the restored cluster, in which Groovy scripts are run. */
export interface Graph {
  /** Runs one script in a transaction of its own and gives all that it returns. */
  run(script: string, bindings?: Record<string, unknown>, timeoutMs?: number): Promise<unknown[]>;
  /** The same, result by result, as they come. */
  stream(script: string, bindings?: Record<string, unknown>, timeoutMs?: number): AsyncGenerator<unknown>;
  close(): Promise<void>;
}

const TIMEOUT_MS = 24 * 3_600_000;

/** Errors: `janusgraph-credentials`, `janusgraph-failed` (retryable while nothing answers). */
export async function openGraph(cluster: ClusterConfig): Promise<Graph> {
  const c = cluster.index.janusgraph;
  if (!c) throw new SkepError('config-invalid', 'index.janusgraph is missing');
  const password = c.password ? await readSecret(c.password, 'index.janusgraph.password') : undefined;
  const client = new gremlin.driver.Client(c.url, {
    traversalSource: 'g',
    ...(c.user && password
      ? { authenticator: new gremlin.driver.auth.PlainTextSaslAuthenticator(c.user, password) }
      : {}),
  });
  try {
    await client.open();
  } catch (e) {
    throw translate(e);
  }
  return {
    async run(script, bindings = {}, timeoutMs = TIMEOUT_MS) {
      try {
        return (await client.submit(script, bindings, options({ evaluationTimeout: timeoutMs }))).toArray();
      } catch (e) {
        throw translate(e);
      }
    },
    async *stream(script, bindings = {}, timeoutMs = TIMEOUT_MS) {
      try {
        const batches = client.stream(script, bindings, options({ evaluationTimeout: timeoutMs, batchSize: 1000 }));
        for await (const batch of batches as AsyncIterable<{ toArray(): unknown[] }>) yield* batch.toArray();
      } catch (e) {
        throw translate(e);
      }
    },
    close: () => client.close(),
  };
}

/** The driver takes any of its options alone; its published types ask for all of them. */
function options(o: Partial<gremlin.driver.RequestOptions>): gremlin.driver.RequestOptions {
  return o as gremlin.driver.RequestOptions;
}

function translate(e: unknown): SkepError {
  const message = (e instanceof Error ? e.message : String((e as { message?: string })?.message ?? e)).split('\n')[0];
  const status = (e as { statusCode?: number }).statusCode;
  if (status === 401 || /credentials|unauthorized/i.test(message ?? '')) {
    return new SkepError('janusgraph-credentials', 'the Gremlin Server refused the user or password');
  }
  const code = (e as { code?: string }).code;
  return new SkepError('janusgraph-failed', `JanusGraph: ${message || code || 'no connection'}`, {
    retryable: status === undefined,
    cause: e,
  });
}
