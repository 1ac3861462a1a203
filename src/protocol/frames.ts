import { SkepError } from '../errors.ts';

/** Version of the conversation between controller and agent; both sides must have the same. */
export const PROTOCOL_VERSION = 1;

/** Longest payload of one frame, in bytes. */
export const MAX_FRAME = 16 * 1024 * 1024;

const HEADER = 4;

/** One message as a frame: an unsigned 32-bit big-endian length, then that many bytes of JSON in UTF-8. */
export function encodeFrame(message: unknown): Buffer {
  const payload = Buffer.from(JSON.stringify(message), 'utf8');
  if (payload.length > MAX_FRAME) {
    throw new SkepError('protocol-error', `a message of ${payload.length} bytes does not fit a frame`);
  }
  const frame = Buffer.allocUnsafe(HEADER + payload.length);
  frame.writeUInt32BE(payload.length, 0);
  payload.copy(frame, HEADER);
  return frame;
}

/** Cuts a byte stream into messages. `push` throws `protocol-error` on garbage; `end` when a frame is cut off. */
export class FrameDecoder {
  #pending: Buffer[] = [];
  #length = 0;

  *push(chunk: Buffer): Generator<unknown> {
    this.#pending.push(chunk);
    this.#length += chunk.length;
    while (this.#length >= HEADER) {
      const size = this.#peek(HEADER).readUInt32BE(0);
      if (size === 0 || size > MAX_FRAME) {
        throw new SkepError('protocol-error', `not a frame: a length of ${size} bytes`);
      }
      if (this.#length < HEADER + size) return;
      this.#take(HEADER);
      yield parse(this.#take(size));
    }
  }

  end(): void {
    if (this.#length > 0) throw new SkepError('protocol-error', `the stream ended inside a frame`);
  }

  #peek(n: number): Buffer {
    const first = this.#pending[0] as Buffer;
    if (first.length >= n) return first;
    const all = Buffer.concat(this.#pending);
    this.#pending = [all];
    return all;
  }

  #take(n: number): Buffer {
    const buf = this.#peek(n);
    const head = buf.subarray(0, n);
    if (buf.length === n) this.#pending.shift();
    else this.#pending[0] = buf.subarray(n);
    this.#length -= n;
    return head;
  }
}

function parse(payload: Buffer): unknown {
  try {
    return JSON.parse(payload.toString('utf8'));
  } catch (e) {
    throw new SkepError('protocol-error', 'a frame does not hold JSON', { cause: e });
  }
}
