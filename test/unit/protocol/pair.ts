import { PassThrough } from 'node:stream';
import { onTestFinished } from 'vitest';
import { encodeFrame, FrameDecoder, PROTOCOL_VERSION } from '../../../src/protocol/frames.ts';
import { Peer, type PeerOptions } from '../../../src/protocol/peer.ts';

export type PairOptions = Partial<Omit<PeerOptions, 'input' | 'output'>>;

/** A peer over a pipe whose other end the test holds in its hands. */
export function bareEnd(o: PairOptions & { highWaterMark?: number } = {}) {
  const { highWaterMark, ...options } = o;
  const input = new PassThrough();
  const output = new PassThrough(highWaterMark === undefined ? {} : { highWaterMark });
  const peer = new Peer({ input, output, version: '1', ...options });
  onTestFinished(() => peer.close());
  return {
    peer,
    input,
    output,
    /** Sends a message as it is. */
    send: (m: unknown) => void input.write(encodeFrame(m)),
    greet: () => void input.write(encodeFrame({ t: 'hello', protocol: PROTOCOL_VERSION, skep: '1' })),
    /** Waits for the first message of this kind from the peer. */
    next: async (t: string): Promise<Record<string, unknown>> => {
      const decoder = new FrameDecoder();
      for await (const chunk of output.iterator({ destroyOnReturn: false })) {
        for (const { message } of decoder.push(chunk as Buffer)) {
          if ((message as { t: string }).t === t) return message as Record<string, unknown>;
        }
      }
      throw new Error(`the peer sent no ${t}`);
    },
  };
}

/** Two peers that talk to each other; `b` has the handlers. */
export function pair(handlers: PeerOptions['handlers'] = {}, o: { a?: PairOptions; b?: PairOptions } = {}) {
  const [toB, toA] = [new PassThrough(), new PassThrough()];
  const a = new Peer({ input: toA, output: toB, version: '1', ...o.a });
  const b = new Peer({ input: toB, output: toA, version: '1', handlers, ...o.b });
  onTestFinished(() => {
    a.close();
    b.close();
  });
  return { a, b, toA, toB };
}
