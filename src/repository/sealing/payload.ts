import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';
import { SkepError } from '../../errors.ts';

/** Plain bytes of a frame; all but the last are full. Source: the specification of age, C2SP age.md. */
const FRAME = 64 << 10;
const TAG = 16;
const SEALED_FRAME = FRAME + TAG;
export const PAYLOAD_NONCE = 16;

/** Size of what `plain` bytes become, with their nonce. */
export function sealedSize(plain: number): number {
  return PAYLOAD_NONCE + plain + TAG * Math.max(1, Math.ceil(plain / FRAME));
}

/** A key for one file, and the count of its frames. */
class FrameKey {
  readonly #key: Buffer;
  /** Eleven bytes of the frame's number, big endian, and one that says whether it is the last. */
  readonly #nonce = Buffer.alloc(12);
  #frames = 0;

  constructor(fileKey: Buffer, nonce: Buffer) {
    this.#key = Buffer.from(hkdfSync('sha256', fileKey, nonce, 'payload', 32));
  }

  seal(plain: Uint8Array, into: Buffer, at: number, last: boolean): number {
    const cipher = createCipheriv('chacha20-poly1305', this.#key, this.#next(last), { authTagLength: TAG });
    const sealed = cipher.update(plain);
    cipher.final();
    sealed.copy(into, at);
    cipher.getAuthTag().copy(into, at + sealed.length);
    return at + sealed.length + TAG;
  }

  /** Undefined when it is not what was sealed. */
  open(sealed: Buffer, last: boolean): Buffer | undefined {
    if (sealed.length < TAG) return undefined;
    const decipher = createDecipheriv('chacha20-poly1305', this.#key, this.#next(last), { authTagLength: TAG });
    decipher.setAuthTag(sealed.subarray(-TAG));
    try {
      const plain = decipher.update(sealed.subarray(0, -TAG));
      decipher.final();
      return plain;
    } catch {
      return undefined;
    }
  }

  #next(last: boolean): Buffer {
    this.#nonce.writeUIntBE(this.#frames++, 5, 6);
    this.#nonce[11] = last ? 1 : 0;
    return this.#nonce;
  }
}

/** Seals a payload piece by piece. What a call gives is valid until the next one. */
export class PayloadSealer {
  readonly #key: FrameKey;
  /** A full frame waits until more comes: the last one is marked. */
  readonly #held = Buffer.allocUnsafeSlow(FRAME);
  #heldBytes = 0;
  #out = Buffer.alloc(0);
  readonly nonce = randomBytes(PAYLOAD_NONCE);

  constructor(fileKey: Buffer) {
    this.#key = new FrameKey(fileKey, this.nonce);
  }

  update(plain: Uint8Array): Buffer {
    const out = this.#room(this.#heldBytes + plain.length);
    let [from, at] = [0, 0];
    while (from < plain.length) {
      if (this.#heldBytes === FRAME) {
        at = this.#key.seal(this.#held, out, at, false);
        this.#heldBytes = 0;
      }
      if (this.#heldBytes === 0) {
        for (; plain.length - from > FRAME; from += FRAME) {
          at = this.#key.seal(plain.subarray(from, from + FRAME), out, at, false);
        }
      }
      const taken = plain.subarray(from, from + FRAME - this.#heldBytes);
      this.#held.set(taken, this.#heldBytes);
      this.#heldBytes += taken.length;
      from += taken.length;
    }
    return out.subarray(0, at);
  }

  final(): Buffer {
    const out = this.#room(this.#heldBytes);
    return out.subarray(0, this.#key.seal(this.#held.subarray(0, this.#heldBytes), out, 0, true));
  }

  #room(plain: number): Buffer {
    const needed = sealedSize(plain);
    if (this.#out.length < needed) this.#out = Buffer.allocUnsafeSlow(needed);
    return this.#out;
  }
}

/** Opens a payload that comes in chunks; `object-damaged` where it is not what was sealed, or not all of it. */
export async function* openPayload(fileKey: Buffer, nonce: Buffer, chunks: AsyncIterable<Buffer>) {
  const key = new FrameKey(fileKey, nonce);
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of chunks) {
    let bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    // More than a frame: it is not the last.
    for (; bytes.length > SEALED_FRAME; bytes = bytes.subarray(SEALED_FRAME)) {
      yield opened(key.open(bytes.subarray(0, SEALED_FRAME), false));
    }
    // The chunk is the caller's.
    rest = Buffer.from(bytes);
  }
  yield opened(key.open(rest, true));
}

function opened(plain: Buffer | undefined): Buffer {
  if (plain === undefined) throw new SkepError('object-damaged', 'its sealed bytes are damaged');
  return plain;
}
