import { randomUUID } from 'node:crypto';
import WebSocket from 'ws';
import { z } from 'zod';
import { readCa } from '../../config/pem-file.ts';
import type { ClusterConfig } from '../../config/schema.ts';
import { readSecret } from '../../config/secrets.ts';
import { SkepError } from '../../errors.ts';

/** A Gremlin Server in which Groovy scripts are run. */
export interface Graph {
  /** Runs one script, whose results must be strings; gives them all, or fails: never a part of them. */
  run(script: string, bindings?: Record<string, string>, timeoutMs?: number): Promise<string[]>;
  /** False once the connection was lost or closed: then every `run` fails. */
  readonly isOpen: boolean;
  close(): void;
}

export interface GraphOptions {
  url: string;
  user?: string;
  password?: string;
  /** PEM of the authority that signed the server's certificate (`wss:`). */
  ca?: string;
}

const MIME = 'application/vnd.gremlin-v3.0+json';
const CONNECT_MS = 10_000;
const DAY_MS = 24 * 3_600_000;
/** The server gives up at the time it was given and says so; this much later it will say nothing any more. */
const SILENCE_MS = 5_000;

const responseSchema = z.object({
  requestId: z.string().nullable(),
  status: z.object({ code: z.number(), message: z.string().nullish() }),
  result: z.object({ data: z.unknown() }),
});
const stringsSchema = z.object({ '@type': z.literal('g:List'), '@value': z.array(z.string()) });

interface Pending {
  parts: string[];
  resolve(parts: string[]): void;
  reject(e: unknown): void;
}

/** The Gremlin Server that the configuration names. Errors: as `graphOptions` and `connectGraph`. */
export async function openGraph(cluster: ClusterConfig): Promise<Graph> {
  return connectGraph(await graphOptions(cluster));
}

/** How the configuration says to connect. Errors: `config-invalid`, `secret-unreadable`. */
export async function graphOptions(cluster: ClusterConfig): Promise<GraphOptions> {
  const c = cluster.index.janusgraph;
  if (!c) throw new SkepError('config-invalid', 'index.janusgraph is missing');
  return {
    url: c.url,
    ...(c.user && c.password
      ? { user: c.user, password: await readSecret(c.password, 'index.janusgraph.password') }
      : {}),
    ...(c.ca_file ? { ca: await readCa(c.ca_file, 'index.janusgraph.ca_file') } : {}),
  };
}

/** Connects. Errors: `janusgraph-failed` (retryable while nothing answers); credentials are only asked for by a request. */
export async function connectGraph(o: GraphOptions): Promise<Graph> {
  const socket = new WebSocket(o.url, {
    handshakeTimeout: CONNECT_MS,
    maxPayload: 64 << 20,
    ...(o.ca ? { ca: o.ca } : {}),
  });
  await new Promise<void>((resolve, reject) => {
    socket.once('open', resolve);
    socket.once('error', (e) => reject(failed(`no connection to ${o.url}: ${e.message}`, true, e)));
  });
  const pending = new Map<string, Pending>();
  const drop = (e: SkepError) => {
    for (const p of pending.values()) p.reject(e);
    pending.clear();
  };
  const send = (message: object) => {
    const body = Buffer.from(JSON.stringify(message));
    socket.send(Buffer.concat([Buffer.from([MIME.length]), Buffer.from(MIME), body]));
  };
  socket.on('error', (e) => drop(failed(`the connection was lost: ${e.message}`, true, e)));
  socket.on('close', () => drop(failed('the connection was closed', true)));
  socket.on('message', (data: Buffer) => {
    try {
      const response = responseSchema.parse(JSON.parse(data.toString('utf8')));
      // It says so of a request that it could not even read.
      if (response.requestId === null)
        drop(failed(response.status.message || 'the server could not read a request', false));
      else receive(response, response.requestId, pending, o, send);
    } catch (e) {
      drop(failed('an answer of no known shape', false, e));
    }
  });
  return {
    run(script, bindings = {}, timeoutMs = DAY_MS) {
      if (socket.readyState !== WebSocket.OPEN) return Promise.reject(failed('the connection was closed', true));
      const id = randomUUID();
      return new Promise<string[]>((resolve, reject) => {
        const timer = setTimeout(() => {
          pending.get(id)?.reject(failed('no answer in time', true));
          pending.delete(id);
        }, timeoutMs + SILENCE_MS);
        const settled = <T>(settle: (value: T) => void) => {
          return (value: T) => {
            clearTimeout(timer);
            settle(value);
          };
        };
        pending.set(id, { parts: [], resolve: settled(resolve), reject: settled(reject) });
        send({
          requestId: { '@type': 'g:UUID', '@value': id },
          op: 'eval',
          processor: '',
          args: {
            gremlin: script,
            language: 'gremlin-groovy',
            bindings,
            batchSize: { '@type': 'g:Int32', '@value': 1000 },
            evaluationTimeout: { '@type': 'g:Int64', '@value': timeoutMs },
          },
        });
      });
    },
    get isOpen() {
      return socket.readyState === WebSocket.OPEN;
    },
    close() {
      socket.close();
      drop(failed('the connection was closed', false));
    },
  };
}

function receive(
  response: z.output<typeof responseSchema>,
  id: string,
  pending: Map<string, Pending>,
  o: GraphOptions,
  send: (message: object) => void,
): void {
  const { code, message } = response.status;
  const p = pending.get(id);
  if (!p) return;
  const end = (settle: () => void) => {
    pending.delete(id);
    settle();
  };
  if (code === 407 && o.user !== undefined) {
    const sasl = Buffer.from(`\0${o.user}\0${o.password ?? ''}`).toString('base64');
    send({
      requestId: { '@type': 'g:UUID', '@value': id },
      op: 'authentication',
      processor: '',
      args: { sasl, saslMechanism: 'PLAIN' },
    });
    return;
  }
  if (code === 401 || code === 407) {
    return end(() =>
      p.reject(new SkepError('janusgraph-credentials', 'the Gremlin Server refused the user or password')),
    );
  }
  if (code >= 400) return end(() => p.reject(failed(message?.split('\n')[0] || `status ${code}`, false)));
  if (code !== 204) {
    const strings = stringsSchema.safeParse(response.result.data);
    if (!strings.success) return end(() => p.reject(failed('the script did not return strings', false)));
    for (const part of strings.data['@value']) p.parts.push(part);
  }
  if (code !== 206) end(() => p.resolve(p.parts));
}

function failed(message: string, retryable: boolean, cause?: unknown): SkepError {
  return new SkepError('janusgraph-failed', `JanusGraph: ${message}`, { retryable, cause });
}
