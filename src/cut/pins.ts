import { watch, type FSWatcher } from 'node:fs';
import { link, mkdir, readdir, rm, rmdir, stat, utimes } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { SkepError, toSkepError } from '../errors.ts';
import { isFull } from './is-full.ts';
import { ownFolder } from './own-folder.ts';
import { HEARTBEAT_MS } from './pin-heartbeat.ts';
import { firstToPin, segmentsOf } from './segment-name.ts';

const POLL_MS = 50;

export interface PinList {
  folder: string;
  segments: { name: string; id: string; bytes: number }[];
  missed: string[];
}

/**
 * Hard links to the commit log segments of one node, made as they appear: Cassandra may delete a segment seconds after
 * a flush, a link keeps its bytes. Must run as the owner of the segments (`protected_hardlinks`).
 */
export class Pins {
  readonly folder: string;
  readonly #source: string;
  readonly #linked = new Set<string>();
  readonly #missed: string[] = [];
  #first: bigint | undefined;
  #failure: SkepError | undefined;
  #work: Promise<void> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;
  #watcher: FSWatcher | undefined;
  #beat = 0;
  #waiting = false;
  #frozen = false;

  private constructor(source: string, folder: string) {
    this.#source = source;
    this.folder = folder;
  }

  /** Pins the segment in use and every newer one until `stop`. Errors: `no-space`, `command-failed` (link refused). */
  static async start(commitlogDir: string, run: string): Promise<Pins> {
    const pins = new Pins(commitlogDir, await makeFolder(commitlogDir, run));
    try {
      await pins.#look();
      if (pins.#first === undefined) {
        throw new SkepError('preflight-failed', `no commit log segment in ${commitlogDir}`, {
          hint: 'Check `commitlog_directory` of this node and that the agent may read it: `skep check`.',
        });
      }
    } catch (e) {
      await pins.clear();
      throw toSkepError(e, 'command-failed');
    }
    // The watcher tells at once, the timer also where a filesystem does not tell.
    pins.#watcher = watch(commitlogDir, () => pins.#again());
    pins.#watcher.on('error', () => {});
    pins.#timer = setInterval(() => pins.#again(), POLL_MS);
    return pins;
  }

  /**
   * The last look: newer segments are left alone from here on, for they would fill the disk of the commit log while the
   * pinned ones wait to be stored. Otherwise as `list`.
   */
  async freeze(): Promise<PinList> {
    this.#watcher?.close();
    this.#then(async () => {
      await this.#look();
      this.#frozen = true;
    });
    return this.list();
  }

  /** What is pinned, after one more look. Throws what went wrong while pinning. */
  async list(): Promise<PinList> {
    this.#again();
    await this.#work;
    if (this.#failure) throw this.#failure;
    const segments = [];
    for (const s of segmentsOf([...this.#linked])) {
      segments.push({ name: s.name, id: String(s.id), bytes: (await stat(join(this.folder, s.name))).size });
    }
    return { folder: this.folder, segments, missed: [...this.#missed] };
  }

  /** Stops pinning and removes every link. May be called again. */
  async clear(): Promise<void> {
    clearInterval(this.#timer);
    this.#watcher?.close();
    await this.#work;
    await rm(this.folder, { recursive: true, force: true });
    // Not empty while another run pins.
    await rmdir(dirname(this.folder)).catch(() => {});
  }

  /** One look that begins later than now; one that is waiting already will do. */
  #again(): void {
    if (this.#waiting) return;
    this.#waiting = true;
    this.#then(() => {
      this.#waiting = false;
      return this.#look();
    });
  }

  #then(work: () => Promise<void>): void {
    this.#work = this.#work.then(work).catch((e) => {
      this.#failure ??= toSkepError(e, 'command-failed');
    });
  }

  async #look(): Promise<void> {
    const there = this.#frozen ? [] : segmentsOf(await readdir(this.#source));
    this.#first ??= firstToPin(there)?.id;
    for (const s of there) {
      if (this.#first === undefined || s.id < this.#first || this.#linked.has(s.name)) continue;
      if (this.#missed.includes(s.name)) continue;
      await this.#link(s.name);
    }
    if (Date.now() - this.#beat > HEARTBEAT_MS) {
      this.#beat = Date.now();
      await utimes(this.folder, new Date(), new Date());
    }
  }

  async #link(name: string): Promise<void> {
    try {
      await link(join(this.#source, name), join(this.folder, name));
      this.#linked.add(name);
    } catch (e) {
      const code = (e as NodeJS.ErrnoException).code;
      if (code === 'ENOENT') this.#missed.push(name);
      else if (isFull(code)) throw new SkepError('no-space', `no space to pin ${name} in ${this.folder}`, { cause: e });
      else {
        throw new SkepError('command-failed', `cannot pin ${name}: ${(e as Error).message}`, {
          hint: "Run the agent as Cassandra's own user: with `protected_hardlinks` only the owner may link.",
          cause: e,
        });
      }
    }
  }
}

/** The folder for pins: beside the commit log, or inside it where it is a mount of its own. */
export function pinRoot(commitlogDir: string): Promise<string> {
  return ownFolder(commitlogDir, 'skep-pins');
}

async function makeFolder(commitlogDir: string, run: string): Promise<string> {
  try {
    const root = await pinRoot(commitlogDir);
    await mkdir(join(root, run), { recursive: true });
    return join(root, run);
  } catch (e) {
    const code = (e as NodeJS.ErrnoException).code;
    if (isFull(code)) {
      throw new SkepError('no-space', `no space for the folder of pins of ${commitlogDir}`, { cause: e });
    }
    throw new SkepError('command-failed', `cannot pin ${commitlogDir}: ${code}`, {
      hint: "Run the agent as Cassandra's own user; `skep check` tells more.",
      cause: e,
    });
  }
}
