import { join } from 'node:path';
import { cacheFolder } from '../compiled-code.ts';
import type { Pins } from '../cut/pins.ts';
import type { AttachmentCapture } from './attachment-capture.ts';
import type { Target } from '../protocol/methods.ts';
import { runCommand } from './run-command.ts';
import {
  type FileEntry,
  type HintCache,
  type ObjectWriter,
  openHintCache,
  openRepository,
  Pace,
  type Repository,
} from '../repository/index.ts';

const ON_EXIT_MS = 60_000;

/** What a capture of Cassandra has stored so far on this node. */
export interface CassandraCapture {
  store: Store;
  entries: FileEntry[];
}

/** One writer into the repository, with the node's hints of what need not be read again. */
export interface Store {
  repository: Repository;
  writer: ObjectWriter;
  /** Absent where they cannot be read, or are not wanted: then every file is. */
  hints: HintCache | undefined;
  /** Files that are stored at once; the capture's own number when absent. */
  parallel: number | undefined;
}

/** What this agent holds on its node. `end` gives everything back; it runs whenever the conversation ends. */
export class Session {
  readonly pins = new Map<string, Pins>();
  readonly attachments = new Map<string, AttachmentCapture>();
  readonly cassandra = new Map<string, CassandraCapture>();
  readonly #stores = new Set<Store>();
  readonly #onExit = new Map<string, string[]>();
  #pace: Pace | undefined;

  /** One for all writers of this agent: what they send shares a line. */
  #paceOf({ limitUpload }: Target): Pace | undefined {
    if (limitUpload !== undefined) this.#pace ??= new Pace(limitUpload);
    return this.#pace;
  }

  /** `hints: false` where hardly a file is read twice: they take 120 bytes of memory a file. */
  async openStore(target: Target, options: { hints?: boolean } = {}): Promise<Store> {
    const repository = await openRepository(target.repository);
    const file = join(cacheFolder(), repository.id, target.writer);
    // A sealed repository needs them to know how a content is stored.
    const wanted = options.hints !== false || repository.sealed;
    const hints = wanted ? await openHintCache(file, repository.id).catch(tell) : undefined;
    const { run, writer, compression, parallel } = target;
    const pace = this.#paceOf(target);
    const store = {
      repository,
      hints,
      parallel,
      writer: repository.objectWriter({
        run,
        writer,
        ...(compression ? { compression } : {}),
        ...(hints ? { hints } : {}),
        ...(pace ? { pace } : {}),
      }),
    };
    this.#stores.add(store);
    return store;
  }

  /** Publishes what is left, keeps the hints, and forgets the writer. */
  async closeStore(store: Store): Promise<void> {
    await store.writer.close();
    // A home that cannot be written to makes the next backup slower, not this one worse.
    await store.hints?.save().catch(tell);
    this.#stores.delete(store);
  }

  onExit(id: string, argv: string[]): void {
    this.#onExit.set(id, argv);
  }

  offExit(id: string): void {
    this.#onExit.delete(id);
  }

  /** Removes pins, drops what was not published, runs what was asked for; one failure does not stop the rest. */
  async end(): Promise<void> {
    const work = [
      ...[...this.attachments.values()].map((a) => a.stop()),
      ...[...this.pins.values()].map((p) => p.clear()),
      ...[...this.#stores].map((s) => s.writer.abort()),
      ...[...this.#onExit.values()].map((argv) => runCommand(argv, { timeoutMs: ON_EXIT_MS })),
    ];
    await Promise.allSettled(work);
  }
}

/** On stderr, which reaches the controller when the agent ends. */
function tell(e: unknown): undefined {
  process.stderr.write(`${e instanceof Error ? e.message : String(e)}\n`);
}
