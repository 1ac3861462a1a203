import { SkepError } from '../../../errors.ts';
import type { ContentSource, Staged } from '../backend.ts';
import type { BatchContext } from './s3-batch.ts';

/** A content that stays in its file until it is sent to its key. */
export class StagedSource implements Staged {
  readonly #source: ContentSource;
  readonly #release: () => void;
  #discarded = false;

  /** Both belong to it from here on; `release` gives back what is counted for what is on its way. */
  constructor(source: ContentSource, release: () => void) {
    this.#source = source;
    this.#release = release;
  }

  get size(): number {
    return this.#source.size;
  }

  async write(): Promise<void> {
    throw new SkepError('internal', 'a content in its file is whole');
  }

  async end(): Promise<void> {}

  /** May be called again after `exists`. */
  async create(context: BatchContext, key: string, o: { overwrite?: boolean }): Promise<'created' | 'exists'> {
    const { bucket, signal } = context;
    if (o.overwrite === true) return bucket.overwrite(key, this.#source, signal);
    return bucket.create(key, this.#source, { signal });
  }

  async discard(): Promise<void> {
    if (this.#discarded) return;
    this.#discarded = true;
    this.#source.close();
    this.#release();
  }
}
