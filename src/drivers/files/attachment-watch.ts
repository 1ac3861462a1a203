import { existsSync, linkSync, statSync } from 'node:fs';
import { mkdir, rmdir, stat, utimes } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { isFull } from '../../cut/is-full.ts';
import { HEARTBEAT_MS } from '../../cut/pin-heartbeat.ts';
import { removePins } from '../../cut/remove-pins.ts';
import { SkepError } from '../../errors.ts';
import { KnownFolders } from './known-folders.ts';
import type { PathTable } from './path-table.ts';
import { PIN_FOLDER, walkInGroups } from './walk.ts';
import { type Lost, LostFiles } from './lost-files.ts';
import { SEEN, type Skip, type Source, STORED, type Watch } from './watch.ts';

const TRIES = 10;

/** Of a path: not pinned, since links are not to be had. */
const UNPINNED = 2;
/** It was seen before it was known what is stored. */
const UNJUDGED = 16;

/**
 * Looks at the attachments again and again from the first listing on. Each new file is hard-linked at once, before
 * anybody reads it: TheHive deletes an attachment with its last reference, before the graph commits.
 */
export class AttachmentWatch implements Watch {
  readonly inPlace = true;
  readonly #location: string;
  readonly #folder: string;
  readonly #paths: PathTable;
  readonly #onNew: (id: number) => void;
  readonly #skip: Skip;
  #seen = 0;
  #pins = 0;
  #timer: NodeJS.Timeout | undefined;
  #heartbeat: NodeJS.Timeout | undefined;
  #waiting = false;
  #work: Promise<void> = Promise.resolve();
  #failure: unknown;
  readonly #known: KnownFolders;
  /** Until what is stored is known. */
  #unknown: Promise<unknown> | undefined;
  #stopped = false;
  readonly #lost = new LostFiles();

  /**
   * `paths` may hold what is `STORED` already. `onNew` gets the number in `paths` of every other file once; `skip` may say
   * of such a file that its content is stored.
   */
  constructor(o: { location: string; run: string; paths: PathTable; skip: Skip; onNew: (id: number) => void }) {
    this.#location = o.location;
    this.#folder = join(o.location, PIN_FOLDER, o.run);
    this.#known = new KnownFolders(o.location, this.#folder);
    this.#paths = o.paths;
    this.#skip = o.skip;
    this.#onNew = o.onNew;
  }

  get seen(): number {
    return this.#seen;
  }

  get pinned(): number {
    return this.#pins;
  }

  wasSeen(id: number): boolean {
    return this.#paths.has(id, SEEN);
  }

  /** By its pin, or by the file itself where links are not to be had. */
  async open(id: number): Promise<Source> {
    const path = this.#paths.pathOf(id);
    const file = this.#paths.has(id, UNPINNED) ? join(this.#location, path) : join(this.#folder, String(id));
    try {
      return { state: await stat(file), file };
    } catch (cause) {
      throw new SkepError('file-missing', `${path} went away while it was read`, { context: { path }, cause });
    }
  }

  lost(): Lost[] {
    return this.#lost.all();
  }

  gone(): boolean {
    return false;
  }

  /** What the first listing finds is pinned when `stored` has resolved. */
  async start(pollMs: number, stored: Promise<unknown> = Promise.resolve()): Promise<void> {
    this.#unknown = stored;
    await this.#makeFolders();
    // The first look at a million files may take longer than a run may be silent.
    this.#heartbeat = setInterval(() => void this.#touch(), HEARTBEAT_MS);
    const first = this.#look();
    this.#work = first.catch(() => {});
    await first;
    if (!this.#stopped) this.#timer = setInterval(() => this.#again(), pollMs);
  }

  async look(): Promise<void> {
    this.#again(true);
    await this.#work;
    if (this.#failure) throw this.#failure;
  }

  halt(): void {
    this.#stopped = true;
    clearInterval(this.#timer);
  }

  /** Removes the pins. */
  async stop(): Promise<void> {
    this.halt();
    await this.#work;
    clearInterval(this.#heartbeat);
    await removePins(this.#folder);
    // Not empty while another run pins.
    await rmdir(dirname(this.#folder)).catch(() => {});
  }

  async #makeFolders(): Promise<void> {
    const all = dirname(this.#folder);
    for (let left = TRIES; ; left--) {
      // Not the location itself: made anew it would look like one without attachments.
      await makeFolder(all);
      try {
        return await makeFolder(this.#folder);
      } catch (e) {
        // Another run that ends takes the folder of all pins away while it is empty.
        if (left === 0 || !(e instanceof SkepError) || e.code !== 'file-missing') throw e;
      }
    }
  }

  async #touch(): Promise<void> {
    const now = new Date();
    // Gone is told by the next link; otherwise the next beat will do.
    await utimes(this.#folder, now, now).catch(() => {});
  }

  /** One look that begins later than now; one that is waiting already will do, or they would pile up on a large folder. */
  #again(isLast = false): void {
    if (this.#waiting && !isLast) return;
    this.#waiting = true;
    this.#work = this.#work
      .then(() => {
        this.#waiting = false;
        return this.#look(isLast);
      })
      .catch((e) => {
        this.#failure ??= e;
      });
  }

  /** The last one relies on no filesystem that is not known to tell of every change. */
  async #look(isLast = false): Promise<void> {
    if (this.#stopped) return;
    this.#known.begin(isLast);
    for await (const group of walkInGroups(this.#location, '', this.#known)) {
      for (const path of group) {
        if (this.#stopped) return;
        const id = this.#paths.idOf(path);
        if (this.#paths.has(id, SEEN)) continue;
        this.#paths.set(id, SEEN);
        this.#seen++;
        if (this.#unknown === undefined) await this.#judge(path, id);
        else this.#paths.set(id, UNJUDGED);
      }
    }
    if (this.#unknown !== undefined) await this.#judgeAll(this.#unknown);
  }

  async #judgeAll(stored: Promise<unknown>): Promise<void> {
    await stored;
    this.#unknown = undefined;
    for (const id of this.#paths.ids()) {
      if (!this.#paths.has(id, UNJUDGED)) continue;
      if (this.#stopped) return;
      this.#paths.clear(id, UNJUDGED);
      if (!this.#paths.has(id, STORED)) await this.#judge(this.#paths.pathOf(id), id);
    }
  }

  async #judge(path: string, id: number): Promise<void> {
    const state = () => statSync(join(this.#location, path), { throwIfNoEntry: false });
    if (this.#paths.has(id, STORED) || (await this.#skip(path, state))) return;
    this.#lost.found(path);
    this.#pin(path, id);
  }

  #pin(path: string, id: number): void {
    try {
      linkSync(join(this.#location, path), join(this.#folder, String(id)));
      this.#pins++;
      this.#onNew(id);
    } catch (e) {
      const code = (e as NodeJS.ErrnoException).code;
      // Gone between listing and link.
      if (code === 'ENOENT' && existsSync(this.#folder)) {
        this.#lost.add(path);
        this.#paths.clear(id, SEEN);
        this.#seen--;
      } else if (code === 'EPERM' || code === 'ENOTSUP' || code === 'EMLINK') {
        this.#paths.set(id, UNPINNED);
        this.#onNew(id);
      } else {
        const what = isFull(code) ? 'no-space' : 'command-failed';
        throw new SkepError(what, `cannot pin ${path} in ${this.#folder}: ${code}`, { cause: e });
      }
    }
  }
}

async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path);
  } catch (e) {
    const code = (e as NodeJS.ErrnoException).code;
    if (code === 'EEXIST') return;
    if (isFull(code)) throw new SkepError('no-space', `no space to make ${path}`, { cause: e });
    const what = code === 'ENOENT' ? 'file-missing' : 'command-failed';
    throw new SkepError(what, `cannot make ${path}: ${code}`, {
      hint: 'Check `files.location` and `files.node` in skep.yaml, and that the agent may write there.',
      cause: e,
    });
  }
}
