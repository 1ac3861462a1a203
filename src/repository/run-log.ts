import { type SkepError, toSkepError } from '../errors.ts';
import type { Backend } from './backend/backend.ts';
import { runLogKey } from './format/names.ts';

/** The log of one run: one JSON object a line, kept also when the run fails. */
export interface RunLog {
  write(event: Record<string, unknown>): void;
  /** Waits until everything written so far is in the repository; gives the error when some of it could not be written. */
  flush(): Promise<SkepError | undefined>;
}

/** Lines that come while a write is under way go together with the next one. */
export class BackendRunLog implements RunLog {
  readonly #backend: Backend;
  readonly #key: string;
  #waiting: string[] = [];
  #writing: Promise<void> | undefined;
  #failure: SkepError | undefined;

  constructor(backend: Backend, run: string) {
    this.#backend = backend;
    this.#key = runLogKey(run);
  }

  write(event: Record<string, unknown>): void {
    this.#waiting.push(`${JSON.stringify(event)}\n`);
    this.#writing ??= this.#drain();
  }

  async flush(): Promise<SkepError | undefined> {
    await this.#writing;
    return this.#failure;
  }

  async #drain(): Promise<void> {
    try {
      while (this.#waiting.length > 0) {
        await this.#backend.append(this.#key, Buffer.from(this.#waiting.splice(0).join('')));
      }
    } catch (error) {
      this.#failure ??= toSkepError(error);
    } finally {
      this.#writing = undefined;
    }
  }
}
