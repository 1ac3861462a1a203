import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import { SkepError } from '../../../src/errors.ts';
import { PROTOCOL_VERSION } from '../../../src/protocol/frames.ts';
import type { CallContext } from '../../../src/protocol/peer.ts';
import { bareEnd, pair } from './pair.ts';

/** A handler that ends only when it is aborted, and tells when it has begun. */
function patient() {
  let begun!: (ctx: CallContext) => void;
  const started = new Promise<CallContext>((resolve) => (begun = resolve));
  const handler = (_p: unknown, ctx: CallContext) =>
    new Promise<never>((_resolve, reject) => {
      ctx.signal.addEventListener('abort', () => reject(ctx.signal.reason as Error));
      begun(ctx);
    });
  return { started, handler };
}

describe('a call', () => {
  test('is answered with what its handler returns, after its events in order', async () => {
    const { a } = pair({
      async add(p, ctx) {
        for (const n of p as number[]) await ctx.emit({ n });
        return (p as number[]).reduce((x, y) => x + y, 0);
      },
      nothing: async () => undefined,
    });
    const events: unknown[] = [];
    expect(await a.call('add', [1, 2, 3], { onEvent: (e) => events.push(e) })).toBe(6);
    expect(events).toEqual([{ n: 1 }, { n: 2 }, { n: 3 }]);
    expect(await a.call('nothing', {})).toBeNull();
  });

  test('that fails is rejected with the same code, hint and context', async () => {
    const { a } = pair({
      typed: () =>
        Promise.reject(
          new SkepError('no-space', 'full', { hint: 'Free some.', context: { at: '/x' }, retryable: true }),
        ),
      plain: () => Promise.reject(new Error('boom')),
    });
    await expect(a.call('typed', {})).rejects.toMatchObject({
      code: 'no-space',
      message: 'full',
      hint: 'Free some.',
      context: { at: '/x' },
      retryable: true,
      exitCode: 13,
    });
    await expect(a.call('plain', {})).rejects.toMatchObject({ code: 'internal', message: 'boom' });
  });

  test('of a method that is not there is refused, also under the name of something inherited', async () => {
    const { a } = pair({});
    for (const method of ['none', 'toString', 'constructor', '__proto__']) {
      await expect(a.call(method, {})).rejects.toMatchObject({ code: 'protocol-error' });
    }
  });

  test('that is cancelled aborts its handler, and no other', async () => {
    const [one, two] = [patient(), patient()];
    const { a } = pair({ one: one.handler, two: two.handler });
    const stop = new AbortController();
    const first = a.call('one', {}, { signal: stop.signal });
    const second = a.call('two', {}).catch((e: unknown) => e);
    const [, other] = await Promise.all([one.started, two.started]);
    stop.abort();
    await expect(first).rejects.toMatchObject({ code: 'cancelled' });
    expect(other.signal.aborted).toBe(false);
    a.close();
    expect(await second).toMatchObject({ code: 'cancelled' });
  });

  test('under a signal that is aborted already is not made', async () => {
    const handler = vi.fn(async () => 1);
    const { a } = pair({ handler });
    await expect(a.call('handler', {}, { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'cancelled' });
    await a.call('handler', {});
    expect(handler).toHaveBeenCalledTimes(1);
  });

  test('whose answer does not fit a frame fails with a type, and the conversation goes on', async () => {
    const { a } = pair({ huge: async () => 'x'.repeat(17 << 20), small: async () => 1 });
    await expect(a.call('huge', {})).rejects.toMatchObject({ code: 'protocol-error' });
    await expect(a.call('small', 'x'.repeat(17 << 20))).rejects.toMatchObject({ code: 'protocol-error' });
    expect(await a.call('small', {})).toBe(1);
  });

  test('with an error of an unknown code is rejected as internal', async () => {
    for (const code of ['never-heard-of', 'toString', 'constructor']) {
      const end = bareEnd();
      end.greet();
      const call = end.peer.call('x', {});
      const { id } = await end.next('call');
      end.send({ t: 'error', id, error: { code, message: 'm', hint: 'h', retryable: false, context: {} } });
      await expect(call).rejects.toMatchObject({ code: 'internal', exitCode: 1 });
    }
  });
});

describe('the end of a conversation', () => {
  test('rejects every call, aborts every handler, and is told when they have ended', async () => {
    const { started, handler } = patient();
    const { a, b, toB } = pair({ handler });
    const call = a.call('handler', {});
    const ctx = await started;
    toB.end();
    expect(await b.closed).toMatchObject({ code: 'node-unreachable' });
    expect(ctx.signal.aborted).toBe(true);
    a.close(new SkepError('node-unreachable', 'gone'));
    await expect(call).rejects.toMatchObject({ code: 'node-unreachable' });
    await expect(a.call('handler', {})).rejects.toMatchObject({ code: 'node-unreachable' });
  });

  test('inside a frame says so', async () => {
    const end = bareEnd();
    end.greet();
    end.input.end(Buffer.from([0, 0, 0, 9, 1]));
    expect(await end.peer.closed).toMatchObject({ code: 'node-unreachable', cause: { code: 'protocol-error' } });
  });

  test('comes after silence', async () => {
    const { peer } = bareEnd({ heartbeatMs: 5, silenceMs: 20 });
    expect(await peer.closed).toMatchObject({ code: 'node-unreachable', retryable: true });
    await expect(peer.ready).rejects.toMatchObject({ code: 'node-unreachable' });
  });

  test('comes later where the way to the other side has to be made first, and not when it has greeted', async () => {
    const o = { heartbeatMs: 5, silenceMs: 20, greetingMs: 60_000 };
    const [waiting, greeted] = [bareEnd(o), bareEnd(o)];
    greeted.greet();
    expect(await greeted.peer.closed).toMatchObject({ code: 'node-unreachable' });
    let ended = false;
    void waiting.peer.closed.then(() => (ended = true));
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(ended).toBe(false);
  });

  test('does not come while the other side pings, however long a call takes', async () => {
    const { started, handler } = patient();
    const { a, b } = pair(
      { handler },
      { a: { heartbeatMs: 10, silenceMs: 400 }, b: { heartbeatMs: 10, silenceMs: 400 } },
    );
    const call = a.call('handler', {});
    await started;
    let ended = false;
    void Promise.race([a.closed, b.closed]).then(() => (ended = true));
    await new Promise((resolve) => setTimeout(resolve, 800));
    expect(ended).toBe(false);
    a.close();
    await expect(call).rejects.toMatchObject({ code: 'cancelled' });
  });

  test('does not come because this side was stopped itself, and has not read yet', async () => {
    const end = bareEnd({ heartbeatMs: 50, silenceMs: 300 });
    end.greet();
    await end.peer.ready;
    let ended = false;
    void end.peer.ending.then(() => (ended = true));
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 600);
    // The timers that are late run before anything is read.
    await new Promise((resolve) => setTimeout(resolve, 0));
    end.send({ t: 'ping' });
    await new Promise(setImmediate);
    expect(ended).toBe(false);
  });

  test('is not held up by a pipe that nobody reads', async () => {
    const end = bareEnd({
      highWaterMark: 1,
      handlers: { talk: async (_p, ctx) => ctx.emit('x'.repeat(1000)) },
    });
    end.greet();
    end.send({ t: 'call', id: 1, method: 'talk', params: {} });
    await expect(end.peer.ready).resolves.toBe('1');
    end.peer.close();
    expect(await end.peer.closed).toMatchObject({ code: 'cancelled' });
  });
});

describe('a stranger', () => {
  test('of another protocol or another version of skep is refused by both', async () => {
    const { a, b } = pair({}, { b: { version: '2' } });
    await expect(a.ready).rejects.toMatchObject({ code: 'protocol-error', message: 'skep 1 cannot talk to skep 2' });
    await expect(b.ready).rejects.toMatchObject({ code: 'protocol-error' });
    const end = bareEnd();
    end.send({ t: 'hello', protocol: PROTOCOL_VERSION + 1, skep: '1' });
    await expect(end.peer.ready).rejects.toMatchObject({
      code: 'protocol-error',
      message: `skep 1 (protocol ${PROTOCOL_VERSION}) cannot talk to skep 1 (protocol ${PROTOCOL_VERSION + 1})`,
    });
  });

  test('that asks before it has greeted gets nothing', async () => {
    const handler = vi.fn(async () => 1);
    const end = bareEnd({ handlers: { handler } });
    end.send({ t: 'call', id: 1, method: 'handler', params: {} });
    expect(await end.peer.closed).toMatchObject({ code: 'protocol-error' });
    expect(handler).not.toHaveBeenCalled();
  });

  test('that uses the number of a running call again is refused', async () => {
    const { handler } = patient();
    const end = bareEnd({ handlers: { handler } });
    end.greet();
    for (const _ of [1, 2]) end.send({ t: 'call', id: 7, method: 'handler', params: {} });
    expect(await end.peer.closed).toMatchObject({ code: 'protocol-error' });
  });

  test('that sends anything at all meets answers or a typed end, never a crash', async () => {
    const id = fc.oneof(fc.integer({ min: 0, max: 3 }), fc.anything());
    const kind = fc.constantFrom('hello', 'call', 'event', 'result', 'error', 'cancel', 'ping', 'other');
    const message = fc.oneof(
      fc.record(
        { t: kind, id, method: fc.constantFrom('ok', 'bad', 'toString'), params: fc.jsonValue() },
        { requiredKeys: ['t'] },
      ),
      fc.record({ t: fc.constant('error'), id, error: fc.jsonValue() }),
      fc.jsonValue(),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(message, { maxLength: 12 }),
        fc.option(fc.uint8Array({ minLength: 1, maxLength: 9 })),
        async (messages, tail) => {
          const end = bareEnd({ handlers: { ok: async (p) => p, bad: () => Promise.reject(new Error('boom')) } });
          end.greet();
          const call = end.peer.call('x', {}).then(
            () => 'answered',
            (e: unknown) => e,
          );
          for (const m of messages) end.send(JSON.parse(JSON.stringify(m ?? null)));
          if (tail) end.input.write(Buffer.from(tail));
          end.input.end();
          const reason = await end.peer.closed;
          expect(reason).toBeInstanceOf(SkepError);
          expect(['protocol-error', 'node-unreachable']).toContain(reason.code);
          const answer = await call;
          if (answer !== 'answered') expect(answer).toBeInstanceOf(SkepError);
        },
      ),
      { numRuns: 150 },
    );
  });
});

describe('a handler that does not heed its signal', () => {
  const never = () => new Promise(() => {});

  test('does not keep a caller that has cancelled waiting for ever', async () => {
    const { a } = pair({ never }, { a: { cancelMs: 20 } });
    const stop = new AbortController();
    const call = a.call('never', {}, { signal: stop.signal });
    stop.abort(new SkepError('terminated', 'stopped'));
    await expect(call).rejects.toMatchObject({ code: 'terminated' });
  });

  test('does not keep its side from seeing that the conversation ends', async () => {
    const { a, b } = pair({ never });
    const call = a.call('never', {});
    await a.ready;
    await new Promise((done) => setImmediate(done));
    b.close(new SkepError('node-unreachable', 'gone'));
    expect(await b.ending).toMatchObject({ code: 'node-unreachable' });
    a.close();
    await expect(call).rejects.toMatchObject({ code: 'cancelled' });
  });
});
