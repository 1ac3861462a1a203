import { homedir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import type { Pins } from '../cut/pins.ts';
import type { AttachmentCapture } from './attachment-capture.ts';
import type { Target } from '../protocol/methods.ts';
import {
  type FileEntry,
  type HintCache,
  type ObjectWriter,
  openHintCache,
  openRepository,
  type Repository,
} from '../repository/index.ts';

/** What a capture of Cassandra has stored so far on this node. */
export interface CassandraCapture {
  store: Store;
  entries: FileEntry[];
}

/** One writer into the repository, with the node's hints of what need not be read again. */
export interface Store {
  repository: Repository;
  writer: ObjectWriter;
  hints: HintCache;
}

/** What this agent holds on its node. `end` gives everything back; it runs whenever the conversation ends. */
export class Session {
  readonly pins = new Map<string, Pins>();
  readonly attachments = new Map<string, AttachmentCapture>();
  readonly cassandra = new Map<string, CassandraCapture>();
  readonly #stores = new Set<Store>();
  readonly #onExit = new Map<string, string[]>();

  async openStore(target: Target): Promise<Store> {
    const repository = await openRepository(target.repository);
    const file = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'skep', repository.id, target.writer);
    const hints = await openHintCache(file, repository.id);
    const store = {
      repository,
      hints,
      writer: repository.objectWriter({ run: target.run, writer: target.writer, hints }),
    };
    this.#stores.add(store);
    return store;
  }

  /** Publishes what is left, keeps the hints, and forgets the writer. */
  async closeStore(store: Store): Promise<void> {
    await store.writer.close();
    await store.hints.save();
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
      ...[...this.#onExit.values()].map(([file, ...args]) =>
        execa(file as string, args, { stdin: 'ignore', timeout: 60_000, reject: false }),
      ),
    ];
    await Promise.allSettled(work);
  }
}
