import { availableParallelism } from 'node:os';
import { extname } from 'node:path';
import { getAsset, isSea } from 'node:sea';
import { Worker } from 'node:worker_threads';
import { deserializeError, SkepError } from '../../../errors.ts';
import type { StoredGroup } from '../../types.ts';
import type { ReadWatch } from '../store-content.ts';
import type { Job, JobResults, Order, Report } from './jobs.ts';

/** More would wait for the disk. */
const THREADS = Math.min(4, availableParallelism());
/** To start threads takes longer than to read, hash and write so much without them. */
const WORTH_STARTING = 32 << 20;

/** Who is told how a job gets on. */
interface Listener {
  /** How many bytes it has written so far. */
  written?: (total: number) => void;
  /** What it has found. */
  group?: (group: StoredGroup) => void;
}

/**
 * Threads that read, hash, seal and write whole files. All of it is done to a chunk while it is in the caches of one core: nearly
 * twice as fast as a chunk that one thread reads, another hashes and a third one writes.
 */
class FileThreads {
  #allowed = false;
  #asked = 0;
  #started = 0;
  readonly #idle: FileThread[] = [];
  readonly #waiting: ((thread: FileThread) => void)[] = [];

  allow(): void {
    this.#allowed = true;
  }

  get areAllowed(): boolean {
    return this.#allowed;
  }

  /** Whether a file of this size in bytes is to be done by `run`. */
  worth(size: number): boolean {
    if (!this.#allowed) return false;
    this.#asked += size;
    return this.#asked >= WORTH_STARTING;
  }

  /**
   * Does a job as soon as a thread has time for it. Nothing uses the job's files any more when it fails, be it by what
   * `watch.check` throws.
   */
  async run<D extends Job['do']>(
    job: Job & { do: D },
    watch: ReadWatch,
    listener: Listener = {},
  ): Promise<JobResults[D]> {
    const thread = await this.#take();
    try {
      watch.check();
      return (await thread.run(job, watch, listener)) as JobResults[D];
    } finally {
      // With the memory that a listing has taken: it is of no use to files.
      if (job.do === 'look') await thread.end();
      this.#give(thread);
    }
  }

  async #take(): Promise<FileThread> {
    const idle = this.#idle.pop();
    if (idle !== undefined) return idle;
    if (this.#started === THREADS) return new Promise((resolve) => this.#waiting.push(resolve));
    this.#started++;
    return new FileThread();
  }

  #give(thread: FileThread): void {
    const next = this.#waiting.shift();
    if (thread.failure === undefined) {
      if (next === undefined) this.#idle.push(thread);
      else next(thread);
    } else if (next === undefined) this.#started--;
    else next(new FileThread());
  }
}

/** Those of this process. */
export const fileThreads = new FileThreads();

/** For a process that may have many files to move; in others all is done in the calling thread. */
export function useFileThreads(): void {
  fileThreads.allow();
}

/** One thread; it does one job at a time. */
class FileThread {
  readonly #worker: Worker;
  #onReport: ((report: Report) => void) | undefined;
  #onFailure: ((failure: SkepError) => void) | undefined;
  /** Why it is of no use any more. */
  failure: SkepError | undefined;

  constructor() {
    // The executable has no files beside it.
    this.#worker = isSea()
      ? new Worker(getAsset('file-thread.js', 'utf8'), { eval: true })
      : // Beside it, whatever it was made into.
        new Worker(new URL(`file-thread${extname(import.meta.filename)}`, import.meta.url));
    this.#worker.unref();
    this.#worker.on('message', (report: Report) => this.#onReport?.(report));
    this.#worker.on('error', (cause) => this.#fail(cause));
    this.#worker.on('exit', () => this.#fail('it ended'));
  }

  /** Like a thread that failed it is of no use any more. */
  async end(): Promise<void> {
    await this.#worker.terminate();
  }

  /** See `FileThreads.run`. */
  async run(job: Job, watch: ReadWatch, listener: Listener): Promise<JobResults[Job['do']]> {
    if (this.failure !== undefined) throw this.failure;
    // The process stays while a job is under way.
    this.#worker.ref();
    try {
      return await this.#do(job, watch, listener);
    } finally {
      this.#worker.unref();
      this.#onReport = this.#onFailure = undefined;
    }
  }

  #do(job: Job, watch: ReadWatch, listener: Listener): Promise<JobResults[Job['do']]> {
    const cancelled = new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT);
    let read = 0;
    const tellRead = (total: number) => {
      watch.onBytes?.(total - read);
      read = total;
    };
    let stopped: { why: unknown } | undefined;
    return new Promise((resolve, reject) => {
      this.#onFailure = reject;
      this.#onReport = (report) => {
        try {
          if ('error' in report) reject(stopped === undefined ? deserializeError(report.error) : stopped.why);
          else {
            watch.check();
            if ('group' in report) listener.group?.(report.group);
            else {
              tellRead('result' in report ? (report.result?.size ?? 0) : report.read);
              if ('result' in report) resolve(report.result);
              else listener.written?.(report.written);
            }
          }
        } catch (why) {
          // It has let go of the files when it answers.
          stopped ??= { why };
          Atomics.store(new Int32Array(cancelled), 0, 1);
          if ('result' in report) reject(why);
        }
      };
      this.#worker.postMessage({ job, cancelled } satisfies Order);
    });
  }

  #fail(cause: unknown): void {
    this.failure ??= new SkepError('internal', 'a thread for files failed', { cause });
    this.#onFailure?.(this.failure);
  }
}
