import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { SkepError } from '../../src/errors.ts';

const MIME = 'application/vnd.gremlin-v3.0+json';

const responseSchema = z.object({
  requestId: z.string().nullable(),
  status: z.object({ code: z.number(), message: z.string().nullish() }),
  result: z.object({ data: z.unknown() }),
});
const stringsSchema = z.object({ '@type': z.literal('g:List'), '@value': z.array(z.string()) });

interface Pending {
  parts: string[];
  settle: (error: Error | undefined) => void;
}

/**
 * A connection to a Gremlin Server that evaluates Groovy scripts whose results are strings (JSON made by the script):
 * numbers, dates and ids then need no type table on this side. The published driver is not used because it ends a
 * streamed answer without an error when the socket closes, which would make a proof pass on half of a graph.
 */
export class GremlinClient {
  readonly #url: string;
  readonly #pending = new Map<string, Pending>();
  #socket: WebSocket | undefined;
  #opening: Promise<WebSocket> | undefined;

  constructor(url: string) {
    this.#url = url;
  }

  /**
   * Evaluates `script` with `bindings` (strings only) in the server's own transaction scope and gives the strings it
   * returned. Throws `janusgraph-failed`; after a timeout or a lost connection the outcome on the server is unknown.
   */
  async submit(script: string, bindings: Record<string, string>, timeoutMs = 120_000): Promise<string[]> {
    const socket = await this.#open();
    const id = randomUUID();
    const request = {
      requestId: { '@type': 'g:UUID', '@value': id },
      op: 'eval',
      processor: '',
      args: {
        gremlin: script,
        language: 'gremlin-groovy',
        bindings,
        evaluationTimeout: { '@type': 'g:Int64', '@value': timeoutMs },
      },
    };
    const { promise, resolve, reject } = Promise.withResolvers<string[]>();
    // The server gives up at timeoutMs and says so; this one is for a server that says nothing.
    const timer = setTimeout(
      () => pending.settle(failure('no answer from the Gremlin server in time')),
      timeoutMs + 5_000,
    );
    const pending: Pending = {
      parts: [],
      settle: (error) => {
        clearTimeout(timer);
        this.#pending.delete(id);
        if (error) reject(error);
        else resolve(pending.parts);
      },
    };
    this.#pending.set(id, pending);
    socket.send(Buffer.concat([Buffer.from([MIME.length]), Buffer.from(MIME), Buffer.from(JSON.stringify(request))]));
    return promise;
  }

  close(): void {
    this.#socket?.close();
    this.#drop(failure('the connection was closed'));
  }

  async #open(): Promise<WebSocket> {
    if (this.#socket?.readyState === WebSocket.OPEN) return this.#socket;
    this.#opening ??= this.#connect().finally(() => (this.#opening = undefined));
    return this.#opening;
  }

  #connect(): Promise<WebSocket> {
    const { promise, resolve, reject } = Promise.withResolvers<WebSocket>();
    const socket = new WebSocket(this.#url);
    socket.binaryType = 'arraybuffer';
    socket.onopen = () => {
      this.#socket = socket;
      resolve(socket);
    };
    socket.onmessage = (event) => this.#receive(event.data);
    socket.onerror = () => reject(failure(`no connection to ${this.#url}`));
    socket.onclose = () => {
      reject(failure(`${this.#url} closed the connection`));
      if (this.#socket === socket) this.#drop(failure('the connection was lost'));
    };
    return promise;
  }

  #drop(error: Error): void {
    this.#socket = undefined;
    for (const pending of this.#pending.values()) pending.settle(error);
  }

  #receive(data: unknown): void {
    const text = typeof data === 'string' ? data : Buffer.from(z.instanceof(ArrayBuffer).parse(data)).toString('utf8');
    const response = responseSchema.parse(JSON.parse(text));
    const { code, message } = response.status;
    if (response.requestId === null) return this.#drop(failure(message ?? 'the server could not read a request'));
    const pending = this.#pending.get(response.requestId);
    if (!pending) return;
    if (code >= 400) return pending.settle(failure(message ?? `status ${code}`));
    if (code !== 204) {
      const strings = stringsSchema.safeParse(response.result.data);
      if (!strings.success) return pending.settle(failure('the script did not return strings'));
      for (const part of strings.data['@value']) pending.parts.push(part);
    }
    if (code !== 206) pending.settle(undefined);
  }
}

function failure(message: string): SkepError {
  return new SkepError('janusgraph-failed', message, { retryable: false });
}
