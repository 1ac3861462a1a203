import type { Readable, Writable } from 'node:stream';
import { deserializeError, type SerializedError, SkepError, toSkepError } from '../errors.ts';
import { encodeFrame, type Frame, FrameDecoder, PROTOCOL_VERSION } from './frames.ts';
import { type Message, messageSchema } from './messages.ts';

/** Long enough for an agent to begin on a busy node, or to be busy itself. */
const SILENCE_MS = 18_000;
/** How often a ping is sent, and the other side's silence looked at. */
export const HEARTBEAT_MS = 1_000;

/** What a handler of a call is given beside its parameters. */
export interface CallContext {
  signal: AbortSignal;
  /** What came with the call beside its parameters. */
  bytes?: Buffer | undefined;
  /** Sends an event of this call to the caller; resolves when the pipe has room again. */
  emit(event: unknown): Promise<void>;
}

/** An answer that has bytes beside its value. */
export class WithBytes {
  readonly value: unknown;
  readonly bytes: Uint8Array;

  constructor(value: unknown, bytes: Uint8Array) {
    this.value = value;
    this.bytes = bytes;
  }
}

/** The value of an answer, and the bytes that came with it. */
export interface Answer {
  value: unknown;
  bytes: Buffer | undefined;
}

/** Answers one method, with a value or `WithBytes`; what it throws reaches the caller as a SkepError. */
export type Handler = (params: unknown, ctx: CallContext) => Promise<unknown>;

export interface PeerOptions {
  input: Readable;
  output: Writable;
  /** skep's version, told to the other side. */
  version: string;
  handlers?: Record<string, Handler>;
  /** A ping is sent this often, in ms. */
  heartbeatMs?: number;
  /** The other side is taken for dead after this silence, in ms. */
  silenceMs?: number;
  /** How much longer its greeting may take, in ms: the way to it may have to be made first. */
  greetingMs?: number;
  /** A call that was cancelled is given up when it is not answered within this time, in ms. */
  cancelMs?: number;
}

interface Pending {
  resolve(answer: Answer): void;
  reject(e: unknown): void;
  onEvent: ((event: unknown) => void) | undefined;
}

/**
 * One end of the conversation between controller and agent: calls, their events, cancellation and heartbeats over a
 * pair of byte streams. Both ends are the same class. `closed` resolves with the reason
 * when the conversation has ended, and by then every running handler's signal is aborted, has settled, and every call
 * is rejected; `ending` does not wait for the handlers.
 */
export class Peer {
  readonly closed: Promise<SkepError>;
  readonly ending: Promise<SkepError>;
  readonly ready: Promise<string>;
  readonly #o: PeerOptions;
  readonly #decoder = new FrameDecoder();
  readonly #pending = new Map<number, Pending>();
  readonly #running = new Map<number, AbortController>();
  readonly #settled = new Set<Promise<void>>();
  #nextId = 1;
  #greeted = false;
  /** While the pipe is full: resolves when it takes more, or never will. */
  #room: Promise<void> | undefined;
  #giveUp: () => void = () => {};
  #end: SkepError | undefined;
  #close!: (e: SkepError) => void;
  #begin!: (e: SkepError) => void;
  #hello!: (version: string) => void;
  #refuse!: (e: unknown) => void;
  /** Since something was heard, in ms. */
  #silentMs = 0;
  #timer: NodeJS.Timeout;

  constructor(options: PeerOptions) {
    this.#o = options;
    this.closed = new Promise((resolve) => (this.#close = resolve));
    this.ending = new Promise((resolve) => (this.#begin = resolve));
    this.ready = new Promise((resolve, reject) => {
      this.#hello = resolve;
      this.#refuse = reject;
    });
    this.ready.catch(() => {});
    const { input, output } = options;
    input.on('data', (chunk: Buffer) => this.#receive(chunk));
    input.on('end', () => this.#ended());
    input.on('error', (e) => this.close(toSkepError(e, 'node-unreachable')));
    output.on('error', (e) => this.close(toSkepError(e, 'node-unreachable')));
    const usual = options.silenceMs ?? SILENCE_MS;
    const heartbeat = options.heartbeatMs ?? HEARTBEAT_MS;
    let last = performance.now();
    this.#timer = setInterval(() => {
      const now = performance.now();
      // Who was held up itself (a stopped machine, a stuck disk) has not read yet what the other side said meanwhile.
      this.#silentMs += Math.min(now - last, 2 * heartbeat);
      last = now;
      const silence = usual + (this.#greeted ? 0 : (options.greetingMs ?? 0));
      if (this.#silentMs > silence) {
        this.close(new SkepError('node-unreachable', `nothing heard for ${silence / 1000} s`, { retryable: true }));
      } else void this.#send({ t: 'ping' });
    }, heartbeat);
    this.#timer.unref();
    void this.#send({ t: 'hello', protocol: PROTOCOL_VERSION, skep: options.version });
  }

  /** Calls a method of the other side. Rejects with the SkepError that it threw, or with why the conversation ended. */
  async call(
    method: string,
    params: unknown,
    opts: { signal?: AbortSignal; onEvent?: (event: unknown) => void } = {},
  ): Promise<unknown> {
    return (await this.exchange(method, params, opts)).value;
  }

  /** The same, with bytes beside the parameters and the answer. They may be used again when this returns its promise. */
  exchange(
    method: string,
    params: unknown,
    opts: { signal?: AbortSignal; onEvent?: (event: unknown) => void; bytes?: Uint8Array } = {},
  ): Promise<Answer> {
    if (this.#end) return Promise.reject(this.#end);
    if (opts.signal?.aborted) return Promise.reject(toSkepError(opts.signal.reason, 'cancelled'));
    const id = this.#nextId++;
    let giveUp: NodeJS.Timeout | undefined;
    const cancel = () => {
      void this.#send({ t: 'cancel', id });
      // A handler that does not heed it must not keep the caller from cleaning up.
      const reason = toSkepError(opts.signal?.reason, 'cancelled');
      giveUp = setTimeout(() => this.#pending.get(id)?.reject(reason), this.#o.cancelMs ?? 60_000);
    };
    opts.signal?.addEventListener('abort', cancel, { once: true });
    return new Promise<Answer>((resolve, reject) => {
      this.#pending.set(id, { resolve, reject, onEvent: opts.onEvent });
      void this.#send({ t: 'call', id, method, params }, opts.bytes);
    }).finally(() => {
      clearTimeout(giveUp);
      this.#pending.delete(id);
      opts.signal?.removeEventListener('abort', cancel);
    });
  }

  /** Ends the conversation; further calls are rejected with `reason`. May be called again. */
  close(reason = new SkepError('cancelled', 'the conversation was closed')): void {
    if (this.#end) return;
    this.#end = reason;
    clearInterval(this.#timer);
    for (const p of this.#pending.values()) p.reject(reason);
    this.#pending.clear();
    for (const c of this.#running.values()) c.abort(reason);
    this.#refuse(reason);
    this.#begin(reason);
    this.#giveUp();
    void Promise.all(this.#settled).then(() => this.#close(reason));
  }

  #ended(): void {
    let cause: unknown;
    try {
      this.#decoder.end();
    } catch (e) {
      cause = e;
    }
    this.close(new SkepError('node-unreachable', 'the other side closed the connection', { cause }));
  }

  #receive(chunk: Buffer): void {
    if (this.#end) return;
    this.#silentMs = 0;
    try {
      for (const frame of this.#decoder.push(chunk)) {
        const parsed = messageSchema.safeParse(frame.message);
        if (!parsed.success) throw new SkepError('protocol-error', 'a message of no known shape');
        this.#dispatch(parsed.data, frame.bytes);
        if (this.#end) return;
      }
    } catch (e) {
      this.close(toSkepError(e, 'protocol-error'));
    }
  }

  #dispatch(m: Message, bytes: Frame['bytes']): void {
    if (!this.#greeted && m.t !== 'hello') throw new SkepError('protocol-error', `a ${m.t} before the greeting`);
    switch (m.t) {
      case 'hello':
        if (m.protocol !== PROTOCOL_VERSION || m.skep !== this.#o.version) {
          const [ours, theirs] = [PROTOCOL_VERSION, m.protocol].map((protocol) =>
            m.protocol === PROTOCOL_VERSION ? '' : ` (protocol ${protocol})`,
          );
          throw new SkepError(
            'protocol-error',
            `skep ${this.#o.version}${ours} cannot talk to skep ${m.skep}${theirs}`,
          );
        }
        this.#greeted = true;
        this.#hello(m.skep);
        return;
      case 'call':
        this.#answer(m.id, m.method, m.params, bytes);
        return;
      case 'event':
        this.#pending.get(m.id)?.onEvent?.(m.event);
        return;
      case 'result':
        this.#pending.get(m.id)?.resolve({ value: m.value, bytes });
        this.#pending.delete(m.id);
        return;
      case 'error':
        this.#pending.get(m.id)?.reject(deserializeError(m.error as SerializedError));
        this.#pending.delete(m.id);
        return;
      case 'cancel':
        this.#running.get(m.id)?.abort(new SkepError('cancelled', 'the call was cancelled'));
        return;
      case 'ping':
        return;
    }
  }

  #answer(id: number, method: string, params: unknown, bytes: Frame['bytes']): void {
    if (this.#running.has(id)) throw new SkepError('protocol-error', `call ${id} is under way already`);
    const { handlers = {} } = this.#o;
    const handler = Object.hasOwn(handlers, method) ? handlers[method] : undefined;
    const controller = new AbortController();
    this.#running.set(id, controller);
    const ctx: CallContext = {
      signal: controller.signal,
      bytes,
      emit: (event) => this.#send({ t: 'event', id, event }),
    };
    const work = (async () => {
      try {
        if (!handler) throw new SkepError('protocol-error', `no method is called ${method}`);
        const answer = await handler(params, ctx);
        const { value, bytes: beside } = answer instanceof WithBytes ? answer : { value: answer, bytes: undefined };
        await this.#send({ t: 'result', id, value: value ?? null }, beside);
      } catch (e) {
        await this.#send({ t: 'error', id, error: { ...toSkepError(e).toJSON() } });
      } finally {
        this.#running.delete(id);
      }
    })();
    this.#settled.add(work);
    void work.finally(() => this.#settled.delete(work));
  }

  /** Resolves when the pipe takes more; a closed conversation swallows what is sent. */
  #send(m: Message, bytes?: Uint8Array): Promise<void> {
    const { output } = this.#o;
    if (this.#end || output.destroyed || output.writableEnded) return Promise.resolve();
    if (output.write(encodeFrame(m, bytes))) return Promise.resolve();
    this.#room ??= new Promise((resolve) => {
      const done = () => {
        output.off('drain', done);
        output.off('close', done);
        this.#room = undefined;
        resolve();
      };
      output.on('drain', done);
      output.on('close', done);
      // A pipe that nobody reads must not keep a conversation from ending.
      this.#giveUp = done;
    });
    return this.#room;
  }
}
