import { setTimeout as delay } from 'node:timers/promises';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { AttachmentWatch, type Seen } from '../drivers/files/attachment-watch.ts';
import { promisedHash } from '../drivers/files/walk.ts';
import { SkepError } from '../errors.ts';
import type { Captured, Progress } from '../protocol/methods.ts';
import type { FileEntry } from '../repository/index.ts';
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
  readonly #mismatched: string[] = [];
  readonly #queue: Seen[] = [];
  #busy = 0;
  #failure: unknown;
  #idle: (() => void)[] = [];
  #bytes = 0;

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
  async start(pollMs: number, onProgress: (p: Progress) => void): Promise<{ files: number }> {
    const timer = setInterval(() => onProgress(this.progress()), 500);
    try {
      await this.#watch.start(pollMs);
      await this.#drained();
      onProgress(this.progress());
      return { files: this.#entries.size };
    } finally {
      clearInterval(timer);
    }
  }

  /** Pass 2: the last look, then the listing. */
  async finish(signal: AbortSignal): Promise<Captured & { pinned: number; mismatched: string[] }> {
    await this.#watch.look();
    await this.#drained();
    const { writer, repository } = this.#store;
    const entries = [...this.#entries.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
    const listing = await repository.writeListing(entries, writer, { signal });
    return {
      listing,
      newBytes: writer.totals.newBytes,
      newObjects: writer.totals.newObjects,
      pinned: this.#watch.pinned,
      mismatched: this.#mismatched,
    };
  }

  /** Stops watching and removes the pins. May be called again. */
  stop(): Promise<void> {
    return this.#watch.stop();
  }

  /** `stop`, and the writer is closed too: nothing of this run is left on the node. */
  async close(session: Session): Promise<void> {
    await this.stop();
    await session.closeStore(this.#store);
  }

  progress(): Progress {
    return { files: this.#entries.size, bytes: this.#bytes, totalFiles: this.#watch.known.size };
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
        .catch((e) => {
          this.#failure ??= e;
        })
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
    const expect = promisedHash(seen.path);
    const onBytes = (n: number) => {
      this.#bytes += n;
    };
    const deadline = Date.now() + WRITING_MS;
    for (let wait = 50; ; wait = Math.min(1000, wait * 2)) {
      const s = await stat(seen.source);
      try {
        const o = await this.#store.writer.putFile(seen.source, {
          onBytes,
          ...(expect ? { expectSha256: expect } : {}),
        });
        this.#entries.set(seen.path, entry(seen.path, o.name, o.size, s));
        return;
      } catch (e) {
        if (!(e instanceof SkepError && e.code === 'object-damaged')) throw e;
        const now = await stat(seen.source);
        if (Date.now() > deadline || (now.mtimeMs === s.mtimeMs && Date.now() - now.mtimeMs > WRITING_MS)) break;
        await delay(wait);
      }
    }
    // Kept as it is, so that nothing is lost, and reported: its content is not what its name promises.
    const s = await stat(seen.source);
    const o = await this.#store.writer.putFile(seen.source, { onBytes });
    this.#mismatched.push(seen.path);
    this.#entries.set(seen.path, entry(seen.path, o.name, o.size, s));
  }
}

function entry(path: string, object: string, size: number, s: { mtimeMs: number; mode: number }): FileEntry {
  return { path, object, size, mtimeMs: Math.floor(s.mtimeMs), mode: s.mode & 0o7777 };
}
