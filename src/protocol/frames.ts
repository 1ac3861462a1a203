import { SkepError } from '../errors.ts';

/** Version of the conversation between controller and agent; both sides must have the same. */
export const PROTOCOL_VERSION = 2;

/** Longest payload of one frame, in bytes. */
export const MAX_FRAME = 16 * 1024 * 1024;

const HEADER = 4;
/** Of a frame's length: its payload is the length of the JSON (unsigned 32-bit big-endian), the JSON, and bytes. */
const HAS_BYTES = 0x8000_0000;

/** A message, and the bytes that came with it. */
export interface Frame {
  message: unknown;
  bytes?: Buffer;
}

/** One message as a frame: an unsigned 32-bit big-endian length, then that many bytes of JSON in UTF-8; see `HAS_BYTES`. */
export function encodeFrame(message: unknown, bytes?: Uint8Array): Buffer {
  const json = Buffer.from(JSON.stringify(message), 'utf8');
  const before = bytes === undefined ? HEADER : HEADER + HEADER;
  const size = before - HEADER + json.length + (bytes?.length ?? 0);
  if (size > MAX_FRAME) throw new SkepError('protocol-error', `a message of ${size} bytes does not fit a frame`);
  const frame = Buffer.allocUnsafe(HEADER + size);
  frame.writeUInt32BE(bytes === undefined ? size : size + HAS_BYTES, 0);
  json.copy(frame, before);
  if (bytes !== undefined) {
    frame.writeUInt32BE(json.length, HEADER);
    frame.set(bytes, before + json.length);
  }
  return frame;
}

/** Cuts a byte stream into frames. `push` throws `protocol-error` on garbage; `end` when a frame is cut off. */
export class FrameDecoder {
  #pending: Buffer[] = [];
  #length = 0;

  *push(chunk: Buffer): Generator<Frame> {
    this.#pending.push(chunk);
    this.#length += chunk.length;
    while (this.#length >= HEADER) {
      const length = this.#peek(HEADER).readUInt32BE(0);
      const hasBytes = length >= HAS_BYTES;
      const size = hasBytes ? length - HAS_BYTES : length;
      if (size === 0 || size > MAX_FRAME) {
        throw new SkepError('protocol-error', `not a frame: a length of ${size} bytes`);
      }
      if (this.#length < HEADER + size) return;
      this.#take(HEADER);
      const payload = this.#take(size);
      yield hasBytes ? withBytes(payload) : { message: parse(payload) };
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

function withBytes(payload: Buffer): Frame {
  const end = payload.length < HEADER ? Infinity : HEADER + payload.readUInt32BE(0);
  if (end > payload.length) throw new SkepError('protocol-error', 'a frame ends inside its message');
  return { message: parse(payload.subarray(HEADER, end)), bytes: payload.subarray(end) };
}

function parse(payload: Buffer): unknown {
  try {
    return JSON.parse(payload.toString('utf8'));
  } catch (e) {
    throw new SkepError('protocol-error', 'a frame does not hold JSON', { cause: e });
  }
}
