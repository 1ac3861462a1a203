import { setTimeout as delay } from 'node:timers/promises';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { AttachmentWatch, type Seen } from '../drivers/files/attachment-watch.ts';
import { promisedHash } from '../drivers/files/walk.ts';
import { SkepError, toSkepError } from '../errors.ts';
import type { Captured, Progress } from '../protocol/methods.ts';
import { compareBytewise, type FileEntry } from '../repository/index.ts';
import type { Session, Store } from './session.ts';

const PARALLEL = 4;
/** How long an attachment may take to be written in full before it is taken as damaged. */
const WRITING_MS = 15_000;

/**
 * The files store of one run: watches the attachments from the first pass on, stores each once, and lists at the end
 * the union of all that was seen. An attachment is named by its content; one that is still being written is read again.
 */
export class AttachmentCapture {
  readonly #store: Store;
  readonly #location: string;
  readonly #watch: AttachmentWatch;
  readonly #entries = new Map<string, FileEntry>();
  /** Those whose content is not what their name promises, and where it can be read. */
  readonly #mismatched = new Map<string, Seen>();
  readonly #queue: Seen[] = [];
  #busy = 0;
  #failure: unknown;
  #idle: (() => void)[] = [];
  #bytes = 0;
  readonly #stopping = new AbortController();

  constructor(store: Store, location: string, run: string) {
    this.#store = store;
    this.#location = location;
    this.#watch = new AttachmentWatch({
      location,
      run,
      skip: (path) => this.#isStored(path),
      onNew: (seen) => {
        this.#queue.push(seen);
        this.#pump();
      },
    });
  }

  /** Pass 1: everything that is there now is stored when this resolves. The watch goes on. */
  async start(pollMs: number, onProgress: (p: Progress) => void, signal: AbortSignal): Promise<{ files: number }> {
    const timer = setInterval(() => onProgress(this.progress()), 500);
    try {
      await this.#under(signal, () => this.#watch.start(pollMs));
      onProgress(this.progress());
      return { files: this.#entries.size };
    } finally {
      clearInterval(timer);
    }
  }

  /** Pass 2: the last look, then the listing. */
  async finish(signal: AbortSignal): Promise<Captured & { pinned: number; mismatched: string[] }> {
    await this.#under(signal, () => this.#watch.look());
    for (const seen of this.#mismatched.values()) {
      // It may have been written to its end since.
      if (await this.#putWhole(seen)) this.#mismatched.delete(seen.path);
    }
    const { writer, repository } = this.#store;
    const entries = [...this.#entries.values()].sort((a, b) => compareBytewise(a.path, b.path));
    const listing = await repository.writeListing(entries, writer, { signal });
    return {
      listing,
      newBytes: writer.totals.newBytes,
      newObjects: writer.totals.newObjects,
      pinned: this.#watch.pinned,
      mismatched: [...this.#mismatched.keys()].sort(),
    };
  }

  /** Stops watching and storing, and removes the pins. May be called again. */
  async stop(): Promise<void> {
    this.#halt(new SkepError('cancelled', 'the capture of attachments was stopped'));
    await this.#drained().catch(() => {});
    await this.#watch.stop();
  }

  /** `stop`, and the writer is closed too: nothing of this run is left on the node. */
  async close(session: Session): Promise<void> {
    await this.stop();
    await session.closeStore(this.#store);
  }

  progress(): Progress {
    return { files: this.#entries.size, bytes: this.#bytes, totalFiles: this.#watch.known.size };
  }

  /** Looks, and waits until all that was seen is stored; both end soon after an abort. */
  async #under(signal: AbortSignal, look: () => Promise<void>): Promise<void> {
    const onAbort = () => this.#halt(toSkepError(signal.reason, 'cancelled'));
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      if (signal.aborted) onAbort();
      await look();
      await this.#drained();
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }

  #halt(reason: unknown): void {
    this.#failure ??= reason;
    this.#watch.halt();
    this.#stopping.abort(reason);
  }

  /** True when the repository holds the content that the name promises: it was checked when it was stored. */
  async #isStored(path: string): Promise<boolean> {
    const hash = promisedHash(path);
    if (!hash) return false;
    const s = await stat(join(this.#location, path)).catch(() => undefined);
    // A file that is shorter than the stored content is being written now, or was cut.
    if (!s || !(await this.#store.writer.has(hash, s.size))) return false;
    this.#entries.set(path, entry(path, hash, s.size, s));
    return true;
  }

  #pump(): void {
    while (this.#busy < PARALLEL && this.#queue.length > 0 && !this.#failure) {
      const seen = this.#queue.shift() as Seen;
      this.#busy++;
      void this.#put(seen)
        .catch((e) => this.#halt(e))
        .finally(() => {
          this.#busy--;
          this.#pump();
        });
    }
    if (this.#busy === 0 && (this.#queue.length === 0 || this.#failure)) {
      for (const done of this.#idle.splice(0)) done();
    }
  }

  async #drained(): Promise<void> {
    if (this.#busy > 0 || (this.#queue.length > 0 && !this.#failure)) {
      await new Promise<void>((resolve) => this.#idle.push(resolve));
    }
    if (this.#failure) throw this.#failure;
  }

  async #put(seen: Seen): Promise<void> {
    const deadline = Date.now() + WRITING_MS;
    for (let wait = 50; ; wait = Math.min(1000, wait * 2)) {
      const before = await statOf(seen);
      if (await this.#putWhole(seen)) return;
      const now = await statOf(seen);
      const atRest = now.mtimeMs === before.mtimeMs && Date.now() - now.mtimeMs > WRITING_MS;
      if (Date.now() > deadline || atRest) break;
      await delay(wait, undefined, { signal: this.#stopping.signal });
    }
    // Kept as it is, so that nothing is lost, and reported: its content is not what its name promises.
    this.#mismatched.set(seen.path, seen);
    await this.#keep(seen);
  }

  /** Stores a file whose content is what its name promises; false when it is not. */
  async #putWhole(seen: Seen): Promise<boolean> {
    try {
      await this.#keep(seen, promisedHash(seen.path));
      return true;
    } catch (e) {
      if (e instanceof SkepError && e.code === 'object-damaged') return false;
      throw e;
    }
  }

  async #keep(seen: Seen, expectSha256?: string): Promise<void> {
    const s = await statOf(seen);
    const o = await this.#store.writer.putFile(seen.source, {
      signal: this.#stopping.signal,
      onBytes: (n) => {
        this.#bytes += n;
      },
      ...(expectSha256 ? { expectSha256 } : {}),
    });
    this.#entries.set(seen.path, entry(seen.path, o.name, o.size, s));
  }
}

async function statOf(seen: Seen) {
  try {
    return await stat(seen.source);
  } catch (cause) {
    throw new SkepError('file-missing', `${seen.path} went away while it was read`, {
      context: { path: seen.path },
      cause,
    });
  }
}

function entry(path: string, object: string, size: number, s: { mtimeMs: number; mode: number }): FileEntry {
  return { path, object, size, mtimeMs: Math.floor(s.mtimeMs), mode: s.mode & 0o7777 };
}
