import { setTimeout as delay } from 'node:timers/promises';
import { type AttachmentPlace, type FileState, openBucket } from '../drivers/files/attachment-store.ts';
import { AttachmentWatch } from '../drivers/files/attachment-watch.ts';
import { BucketWatch } from '../drivers/files/bucket-watch.ts';
import { PathTable } from '../drivers/files/path-table.ts';
import { hashChunks, hashFile } from '../drivers/files/hash-file.ts';
import { promisedContent, promisedHash } from '../drivers/files/walk.ts';
import { type Source, STORED, type Watch } from '../drivers/files/watch.ts';
import { SkepError, toSkepError } from '../errors.ts';
import type { ListingRef, Progress, Results } from '../protocol/methods.ts';
import {
  compareBytewise,
  type FileEntry,
  fileEntry,
  type FolderMarks,
  type ListingChange,
  type PutFileOptions,
  type StoredGroup,
  type StoredObject,
} from '../repository/index.ts';
import { isS3Location } from '../s3/location.ts';
import { attributesOf } from './attributes-of.ts';
import type { Session, Store } from './session.ts';

const PARALLEL = 4;
/** How long an attachment may take to be written in full before it is taken as damaged. */
const WRITING_MS = 15_000;
/** Of a path: it is in the listing that this one is made from. */
const LISTED = 8;

/** Who waits until all are stored that were queued before, which are so many yet. */
interface Waiting {
  before: number;
  left: number;
  done: () => void;
}

/**
 * The files store of one run: watches the attachments from the first pass on, stores each once, and lists at the end
 * the union of all that was seen. An attachment is named by its content: one that is still being written is read again,
 * and one that the previous backup has, whose content is still in the repository, is neither read nor looked at.
 */
export class AttachmentCapture {
  readonly #store: Store;
  #previous: ListingRef | undefined;
  /** Of the repository, from before anything was looked for there. */
  #marks: FolderMarks = {};
  readonly #paths = new PathTable();
  readonly #watch: Watch;
  /** By number of the path: what the previous listing has not, or has otherwise. */
  readonly #entries = new Map<number, FileEntry>();
  /** Those whose content is not what their name promises. */
  readonly #mismatched = new Set<number>();
  #queue: number[] = [];
  #next = 0;
  #busy = 0;
  /** How many of all that were queued were begun; they are begun in the order in which they came. */
  #begun = 0;
  #failure: unknown;
  readonly #waiting = new Set<Waiting>();
  #bytes = 0;
  readonly #stopping = new AbortController();

  /** `previous` is a hint: the listing of the files store in an older backup of the same repository. */
  constructor(store: Store, place: AttachmentPlace, run: string, previous?: ListingRef) {
    this.#store = store;
    this.#previous = previous;
    const o = {
      paths: this.#paths,
      skip: (path: string, state: () => FileState | undefined) => this.#isStored(path, state),
      onNew: (id: number) => {
        this.#queue.push(id);
        this.#pump();
      },
    };
    const { location } = place;
    this.#watch = isS3Location(location)
      ? new BucketWatch({ ...o, bucket: openBucket(place) })
      : new AttachmentWatch({ ...o, location, run });
  }

  /** Pass 1: everything that is there now is stored when this resolves. The watch goes on. */
  async start(pollMs: number, onProgress: (p: Progress) => void, signal: AbortSignal): Promise<{ files: number }> {
    const timer = setInterval(() => onProgress(this.progress()), 500);
    try {
      await this.#under(signal, async () => {
        // Side by side: the one reads what is in the repository, the other names on the node.
        const previous = this.#readPrevious();
        await Promise.all([previous, this.#watch.start(pollMs, previous)]);
      });
      onProgress(this.progress());
      return { files: this.progress().files };
    } finally {
      clearInterval(timer);
    }
  }

  /** Pass 2: the last look, then the listing. */
  async finish(signal: AbortSignal): Promise<Results['files.finish']> {
    await this.#under(signal, async () => {
      await this.#watch.look();
      // What comes later is after `T`.
      this.#watch.halt();
    });
    for (const id of this.#mismatched) {
      const source = await this.#watch.open(id, this.#stopping.signal);
      // It may have been written to its end since.
      if (source && (await this.#putWhole(id, source))) this.#mismatched.delete(id);
    }
    const { writer, repository } = this.#store;
    const changes = this.#changes();
    const listing = this.#previous
      ? await repository.updateListing(this.#previous, changes, writer, {
          signal,
          onDamage: (why) => process.stderr.write(`the previous inventory cannot be used: ${why}\n`),
        })
      : await repository.writeListing(entriesOf(changes), writer, { signal });
    return {
      listing,
      newBytes: writer.totals.newBytes,
      newObjects: writer.totals.newObjects,
      pinned: this.#watch.pinned,
      mismatched: [...this.#mismatched].map((id) => this.#paths.pathOf(id)).sort(),
      lost: this.#watch.lost(),
      marks: this.#marks,
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
    const waiting = this.#queue.length - this.#next + this.#busy;
    return { files: this.#watch.seen - waiting, bytes: this.#bytes, totalFiles: this.#watch.seen };
  }

  /** Notes which attachments need not be stored again. One that the listing has in another content is not among them. */
  async #readPrevious(): Promise<void> {
    if (this.#previous === undefined) return;
    try {
      const note = ({ paths, whole }: StoredGroup) => {
        for (const [i, path] of paths.entries()) {
          const id = this.#paths.idOf(path);
          this.#paths.set(id, whole[i] === 1 && this.#paths.isHash(id) ? LISTED | STORED : LISTED);
        }
      };
      const { signal } = this.#stopping;
      this.#marks = await this.#store.repository.readStored(this.#previous, note, { signal });
    } catch (e) {
      if (!(e instanceof SkepError && ['object-missing', 'object-damaged', 'key-missing'].includes(e.code))) throw e;
      // It was only a hint: the listing is then made from nothing, out of what is seen.
      process.stderr.write(`the previous listing cannot be used: ${e.message}\n`);
      this.#previous = undefined;
      for (const id of this.#paths.ids()) this.#paths.clear(id, LISTED | STORED);
    }
  }

  /** Sorted: what is new, and what the previous listing has and was not seen. */
  #changes(): ListingChange[] {
    const ids = [...this.#entries.keys()];
    for (const id of this.#paths.ids()) if (this.#paths.has(id, LISTED) && !this.#watch.wasSeen(id)) ids.push(id);
    const changes = ids.map((id) => ({ path: this.#paths.pathOf(id), entry: this.#entries.get(id) }));
    return changes.sort((a, b) => compareBytewise(a.path, b.path));
  }

  /** Looks, and waits until all that was seen is stored; both end soon after an abort. */
  async #under(signal: AbortSignal, look: () => Promise<void>): Promise<void> {
    const onAbort = () => this.#halt(toSkepError(signal.reason, 'cancelled'));
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      if (signal.aborted) onAbort();
      await look();
      await this.#drained();
    } catch (e) {
      // What ended it, not how the look ended.
      throw this.#failure ?? e;
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
  async #isStored(path: string, state: () => FileState | undefined): Promise<boolean> {
    const hash = promisedHash(path);
    if (!hash) return false;
    const s = state();
    // A file that is shorter than the stored content is being written now, or was cut.
    const stored = s && (await this.#store.writer.find(hash, s.size));
    if (!stored) return false;
    this.#entries.set(this.#paths.idOf(path), fileEntry(path, stored, attributesOf(s)));
    return true;
  }

  #pump(): void {
    while (this.#busy < (this.#store.parallel ?? PARALLEL) && this.#next < this.#queue.length && !this.#failure) {
      const id = this.#queue[this.#next++] as number;
      const nth = this.#begun++;
      this.#busy++;
      void this.#put(id)
        .catch((e) => this.#halt(e))
        .finally(() => {
          this.#busy--;
          this.#ended(nth);
          this.#pump();
        });
    }
    if (this.#next === this.#queue.length) {
      this.#queue = [];
      this.#next = 0;
    }
  }

  #ended(nth: number): void {
    for (const waiting of this.#waiting) {
      if (nth < waiting.before) waiting.left--;
      // Nothing more is begun after a failure.
      if (waiting.left > 0 && (!this.#failure || this.#busy > 0)) continue;
      this.#waiting.delete(waiting);
      waiting.done();
    }
  }

  /** Until all that is queued now is stored. Not until nothing is: where uploads never cease that would be never. */
  async #drained(): Promise<void> {
    const queued = this.#failure ? 0 : this.#queue.length - this.#next;
    const left = this.#busy + queued;
    if (left > 0) {
      await new Promise<void>((done) => this.#waiting.add({ before: this.#begun + queued, left, done }));
    }
    if (this.#failure) throw this.#failure;
  }

  async #put(id: number): Promise<void> {
    try {
      await this.#putOpened(id);
    } catch (e) {
      if (!(e instanceof SkepError) || e.code !== 'file-missing' || !this.#watch.gone(id)) throw e;
    }
  }

  async #putOpened(id: number): Promise<void> {
    const deadline = Date.now() + WRITING_MS;
    const { signal } = this.#stopping;
    let source = await this.#watch.open(id, signal);
    for (let wait = 50; source; wait = Math.min(1000, wait * 2)) {
      if (await this.#putWhole(id, source)) return;
      const before = source.state;
      source = await this.#watch.open(id, signal);
      if (!source) return;
      const now = source.state;
      const atRest = now.mtimeMs === before.mtimeMs && Date.now() - now.mtimeMs > WRITING_MS;
      if (!this.#watch.inPlace || Date.now() > deadline || atRest) {
        // Kept as it is, so that nothing is lost, and reported: its content is not what its name promises.
        this.#mismatched.add(id);
        await this.#keep(id, source);
        return;
      }
      await delay(wait, undefined, { signal });
    }
  }

  /** Stores a file whose content is what its name promises; false when it is not. */
  async #putWhole(id: number, source: Source): Promise<boolean> {
    const promised = promisedContent(this.#paths.pathOf(id));
    // Storing tells the SHA-256 alone. A content that is whole once does not change any more.
    const isOther = promised !== undefined && promised.algorithm !== 'sha256';
    if (isOther && (await this.#hashOf(id, source, promised.algorithm)) !== promised.hash) return false;
    try {
      await this.#keep(id, source, isOther ? undefined : promised?.hash);
      return true;
    } catch (e) {
      if (e instanceof SkepError && e.code === 'object-damaged') return false;
      throw e;
    }
  }

  async #keep(id: number, source: Source, expectSha256?: string): Promise<void> {
    const path = this.#paths.pathOf(id);
    const options = {
      signal: this.#stopping.signal,
      onBytes: (n: number) => {
        this.#bytes += n;
      },
      ...(expectSha256 ? { expectSha256 } : {}),
    };
    const o = await this.#putSource(path, source, options);
    this.#entries.set(id, fileEntry(path, o, attributesOf(source.state)));
  }

  async #hashOf(id: number, source: Source, algorithm: string): Promise<string> {
    const { signal } = this.#stopping;
    if (!('file' in source)) return hashChunks(await source.open(), algorithm);
    try {
      return await hashFile(source.file, algorithm, signal);
    } catch (cause) {
      signal.throwIfAborted();
      const path = this.#paths.pathOf(id);
      throw new SkepError('file-unreadable', `cannot read ${path}`, { context: { path }, cause });
    }
  }

  async #putSource(path: string, source: Source, options: PutFileOptions): Promise<StoredObject> {
    const { writer } = this.#store;
    if ('file' in source) return writer.putFile(source.file, options);
    try {
      return await writer.putStream(source.open, { ...options, path, size: source.state.size });
    } finally {
      source.close();
    }
  }
}

function* entriesOf(changes: Iterable<ListingChange>): Generator<FileEntry> {
  for (const { entry } of changes) if (entry) yield entry;
}
