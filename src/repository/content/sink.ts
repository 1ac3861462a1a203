import { createHash } from 'node:crypto';
import { once } from 'node:events';
import type { ZstdCompress } from 'node:zlib';
import type { Staged } from '../backend/backend.ts';
import type { Pace } from './pace.ts';

/** Takes bytes in order, one call at a time. */
export interface Sink {
  /** The chunk may be used again when it returns. */
  write(chunk: Uint8Array): Promise<void>;
  end(): Promise<void>;
  /** Instead of `end`: no more is written on once it returns. */
  abandon(): Promise<void>;
}

/** Stages bytes and hashes them. */
export class StageSink implements Sink {
  readonly #staged: Staged;
  readonly #pace: Pace | undefined;
  readonly #digest = createHash('sha256');

  constructor(staged: Staged, pace: Pace | undefined) {
    this.#staged = staged;
    this.#pace = pace;
  }

  async write(chunk: Uint8Array): Promise<void> {
    await this.#pace?.take(chunk.length);
    const writing = this.#staged.write(chunk);
    this.#digest.update(chunk);
    await writing;
  }

  end(): Promise<void> {
    return this.#staged.end();
  }

  async abandon(): Promise<void> {}

  /** After `end`. */
  form(): { storedSize: number; storedSha256: string } {
    return { storedSize: this.#staged.size, storedSha256: this.#digest.digest('hex') };
  }
}

/** Stages bytes whose hash is known anyway. */
export class RawSink implements Sink {
  readonly #staged: Staged;
  readonly #pace: Pace | undefined;

  constructor(staged: Staged, pace: Pace | undefined) {
    this.#staged = staged;
    this.#pace = pace;
  }

  async write(chunk: Uint8Array): Promise<void> {
    await this.#pace?.take(chunk.length);
    return this.#staged.write(chunk);
  }

  end(): Promise<void> {
    return this.#staged.end();
  }

  async abandon(): Promise<void> {}
}

/** Compresses what it passes on. */
export class ZstdSink implements Sink {
  readonly #zstd: ZstdCompress;
  readonly #next: Sink;
  #writing: Promise<void> = Promise.resolve();

  constructor(zstd: ZstdCompress, next: Sink) {
    this.#zstd = zstd;
    this.#next = next;
    zstd.on('data', (bytes: Buffer) => {
      this.#writing = this.#writing.then(() => next.write(bytes));
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
    await this.#next.end();
  }

  async abandon(): Promise<void> {
    this.#zstd.destroy();
    await this.#writing.catch(() => undefined);
    await this.#next.abandon();
  }
}
