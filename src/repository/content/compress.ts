import { createHash, hash } from 'node:crypto';
import { once } from 'node:events';
import { createZstdCompress, zstdCompressSync, type ZstdCompress } from 'node:zlib';
import type { Staged } from '../backend/backend.ts';
import type { StoredObject } from '../types.ts';

const SAMPLE = 64 << 10;
const LEAST_SAMPLE = 512;
/** Below this gain the time to decompress is not worth it. */
const WORTH = 0.85;

/** How the bytes of an object are stored. */
export type StoredForm = Pick<StoredObject, 'encoding' | 'storedSize' | 'storedSha256'>;

/** Whether zstd makes the beginning of a content markedly smaller. */
export function sampleShrinks(content: Uint8Array): boolean {
  const sample = content.subarray(0, SAMPLE);
  return sample.length >= LEAST_SAMPLE && zstdCompressSync(sample).length < sample.length * WORTH;
}

/** The stored form of a content in memory. */
export function encodeWhole(
  content: Uint8Array,
  name: string,
  compression: 'off' | 'auto',
): { bytes: Uint8Array; form: StoredForm } {
  if (compression === 'auto' && sampleShrinks(content)) {
    const bytes = zstdCompressSync(content);
    if (bytes.length < content.length * WORTH) {
      return { bytes, form: { encoding: 'zstd', storedSize: bytes.length, storedSha256: hash('sha256', bytes) } };
    }
  }
  return { bytes: content, form: { encoding: 'raw', storedSize: content.length, storedSha256: name } };
}

/** Takes the plain content in order and stages its stored form. */
export interface Sink {
  /** The chunk may be used again when it returns. */
  write(chunk: Uint8Array): Promise<void>;
  end(): Promise<void>;
  /** Instead of `end`: no more is written to the staged content once it returns. */
  abandon(): Promise<void>;
  /** After `end`. */
  form(name: string): StoredForm;
}

export class RawSink implements Sink {
  readonly #staged: Staged;

  constructor(staged: Staged) {
    this.#staged = staged;
  }

  write(chunk: Uint8Array): Promise<void> {
    return this.#staged.write(chunk);
  }

  end(): Promise<void> {
    return this.#staged.end();
  }

  async abandon(): Promise<void> {}

  form(name: string): StoredForm {
    return { encoding: 'raw', storedSize: this.#staged.size, storedSha256: name };
  }
}

/** Compresses in the thread pool. */
export class ZstdSink implements Sink {
  readonly #staged: Staged;
  readonly #zstd: ZstdCompress = createZstdCompress();
  readonly #digest = createHash('sha256');
  #writing: Promise<void> = Promise.resolve();
  #sha256 = '';

  constructor(staged: Staged) {
    this.#staged = staged;
    this.#zstd.on('data', (bytes: Buffer) => {
      this.#digest.update(bytes);
      this.#writing = this.#writing.then(() => staged.write(bytes));
      // Whoever writes or ends next gets the failure.
      this.#writing.catch(() => undefined);
    });
  }

  async write(chunk: Uint8Array): Promise<void> {
    await new Promise<void>((resolve, reject) => this.#zstd.write(chunk, (e) => (e ? reject(e) : resolve())));
    await this.#writing;
  }

  async end(): Promise<void> {
    const ended = once(this.#zstd, 'end');
    this.#zstd.end();
    await ended;
    await this.#writing;
    this.#sha256 = this.#digest.digest('hex');
    await this.#staged.end();
  }

  async abandon(): Promise<void> {
    this.#zstd.destroy();
    await this.#writing.catch(() => undefined);
  }

  form(): StoredForm {
    return { encoding: 'zstd', storedSize: this.#staged.size, storedSha256: this.#sha256 };
  }
}
