import type { AddressInfo } from 'node:net';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { type WebSocket, WebSocketServer } from 'ws';
import { connectGraph, type Graph, type GraphOptions } from '../../../../src/drivers/janusgraph/client.ts';

interface Asked {
  requestId: { '@value': string };
  op: string;
  args: Record<string, unknown>;
}

type Reply = (code: number, data?: unknown, message?: string) => void;

/** A Gremlin Server that answers as it is told, and a client of it. */
async function scene(
  answer: (asked: Asked, reply: Reply, socket: WebSocket) => void,
  o: Partial<GraphOptions> = {},
): Promise<Graph> {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0 });
  await new Promise((resolve) => server.once('listening', resolve));
  onTestFinished(() => {
    for (const c of server.clients) c.terminate();
    server.close();
  });
  server.on('connection', (socket) =>
    socket.on('message', (data: Buffer) => {
      const mime = data[0] as number;
      expect(data.subarray(1, 1 + mime).toString()).toBe('application/vnd.gremlin-v3.0+json');
      const asked = JSON.parse(data.subarray(1 + mime).toString()) as Asked;
      const reply: Reply = (code, values, message = '') =>
        socket.send(
          JSON.stringify({
            requestId: asked.requestId['@value'],
            status: { code, message },
            result: { data: values === undefined ? null : { '@type': 'g:List', '@value': values } },
          }),
        );
      answer(asked, reply, socket);
    }),
  );
  const graph = await connectGraph({ url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}`, ...o });
  onTestFinished(() => graph.close());
  return graph;
}

describe('a script', () => {
  test('gives all parts of its answer, and nothing where there is nothing', async () => {
    const graph = await scene((asked, reply) => {
      if (asked.args.gremlin === 'none') return reply(204);
      reply(206, ['a', 'b']);
      reply(206, []);
      reply(200, [JSON.stringify(asked.args.bindings)]);
    });
    expect(await graph.run('all', { x: '1' })).toEqual(['a', 'b', '{"x":"1"}']);
    expect(await graph.run('none')).toEqual([]);
  });

  test('gets its own answer, whatever else is asked at the same time', async () => {
    const waiting: (() => void)[] = [];
    const graph = await scene((asked, reply) => {
      waiting.push(() => reply(200, [String(asked.args.gremlin)]));
      if (waiting.length === 3) for (const w of waiting.reverse()) w();
    });
    expect(await Promise.all(['a', 'b', 'c'].map((s) => graph.run(s)))).toEqual([['a'], ['b'], ['c']]);
  });

  test('fails when the connection ends in the middle of its answer: never half of it', async () => {
    const graph = await scene((_asked, reply, socket) => {
      reply(206, ['half']);
      socket.close();
    });
    await expect(graph.run('x')).rejects.toMatchObject({ code: 'janusgraph-failed', retryable: true });
    await expect(graph.run('y')).rejects.toMatchObject({ code: 'janusgraph-failed' });
  });

  test('that fails on the server is told with its first line', async () => {
    const graph = await scene((_asked, reply) => reply(597, undefined, 'No such property: x\nat Script1'));
    await expect(graph.run('x')).rejects.toMatchObject({
      code: 'janusgraph-failed',
      message: 'JanusGraph: No such property: x',
      retryable: false,
    });
  });

  test('whose answer is no list of strings, or no answer at all, is an error', async () => {
    const numbers = await scene((_asked, reply) => reply(200, [1, 2]));
    await expect(numbers.run('x')).rejects.toMatchObject({ code: 'janusgraph-failed' });
    const garbage = await scene((_asked, _reply, socket) => socket.send('not JSON'));
    await expect(garbage.run('x')).rejects.toMatchObject({ code: 'janusgraph-failed' });
  });

  test('that the server never answers ends some time after the server should have given up', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    onTestFinished(() => void vi.useRealTimers());
    const asked = Promise.withResolvers<void>();
    const graph = await scene(() => asked.resolve());
    const running = graph.run('x', {}, 10_000);
    const refused = expect(running).rejects.toMatchObject({ code: 'janusgraph-failed', retryable: true });
    await asked.promise;
    await vi.advanceTimersByTimeAsync(20_000);
    await refused;
  });

  test('that the server cannot read fails with what it says', async () => {
    const graph = await scene((_asked, _reply, socket) =>
      socket.send(
        JSON.stringify({ requestId: null, status: { code: 498, message: 'malformed' }, result: { data: null } }),
      ),
    );
    await expect(graph.run('x')).rejects.toMatchObject({ message: 'JanusGraph: malformed' });
  });

  test('fails at once when the connection was lost, which the client knows', async () => {
    const graph = await scene((_asked, _reply, socket) => socket.close());
    expect(graph.isOpen).toBe(true);
    await expect(graph.run('x')).rejects.toMatchObject({ retryable: true });
    expect(graph.isOpen).toBe(false);
  });

  test('fails when the client is closed under it', async () => {
    const graph = await scene(() => {});
    const running = graph.run('x');
    graph.close();
    await expect(running).rejects.toMatchObject({ code: 'janusgraph-failed', retryable: false });
  });
});

describe('an account', () => {
  const needsPassword = (asked: Asked, reply: Reply) => {
    if (asked.op !== 'authentication') return reply(407);
    const [, user, password] = Buffer.from(String(asked.args.sasl), 'base64').toString().split('\0');
    if (user === 'skep' && password === 'right') reply(200, ['in']);
    else reply(401, undefined, 'no');
  };

  test('is shown when it is asked for', async () => {
    const graph = await scene(needsPassword, { user: 'skep', password: 'right' });
    expect(await graph.run('x')).toEqual(['in']);
  });

  test('that is wrong, or missing, is an error of credentials without the password in it', async () => {
    for (const o of [{ user: 'skep', password: 'wrong-secret' }, {}]) {
      const error: unknown = await (await scene(needsPassword, o)).run('x').catch((e: unknown) => e);
      expect(error).toMatchObject({ code: 'janusgraph-credentials', exitCode: 12 });
      expect(JSON.stringify(error)).not.toContain('wrong-secret');
    }
  });
});

describe('a server that is not there', () => {
  test('may be there later', async () => {
    await expect(connectGraph({ url: 'ws://127.0.0.1:1' })).rejects.toMatchObject({
      code: 'janusgraph-failed',
      retryable: true,
    });
  });
});
