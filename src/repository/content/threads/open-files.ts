import * as fs from 'node:fs';
import type { OpenFile, Staged } from '../../backend/backend.ts';

/** What fits the caches of a core: it is read, hashed and written before the next chunk comes. */
const CHUNK = 128 << 10;

/** A file from its beginning to its end; a chunk is valid until the next one is asked for. `failed` makes the error. */
export function* chunksOf(file: OpenFile, failed: (cause: unknown) => Error): Generator<Buffer> {
  const buffer = Buffer.allocUnsafeSlow(CHUNK);
  const read = (position: number) => {
    try {
      return fs.readSync(file.descriptor, buffer, 0, CHUNK, position);
    } catch (cause) {
      throw failed(cause);
    }
  };
  let position = 0;
  for (let n = read(position); n > 0; n = read(position)) {
    position += n;
    yield buffer.subarray(0, n);
  }
}

/** Writes a file from its beginning on; it stays open, and whoever opened it discards it. */
export class WrittenFile implements Staged {
  readonly #descriptor: number;
  readonly #failed: (cause: unknown) => Error;
  #size = 0;

  constructor(file: OpenFile, failed: (cause: unknown) => Error) {
    this.#descriptor = file.descriptor;
    this.#failed = failed;
  }

  get size(): number {
    return this.#size;
  }

  async write(chunk: Uint8Array): Promise<void> {
    try {
      for (let done = 0; done < chunk.length;) {
        done += fs.writeSync(this.#descriptor, chunk, done, chunk.length - done, this.#size + done);
      }
    } catch (cause) {
      throw this.#failed(cause);
    }
    this.#size += chunk.length;
  }

  async end(): Promise<void> {}

  async discard(): Promise<void> {}
}
