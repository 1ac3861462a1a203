import { open, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';

/**
 * Appends lines to one ledger file. `append` resolves when the line is on the disk; lines that arrive while a sync is
 * under way share the next one, so eight writers cost about as many syncs as one.
 */
export class LedgerWriter {
  readonly #file: FileHandle;
  #queue: string[] = [];
  #flushing: Promise<void> | undefined;
  #broken: Error | undefined;

  private constructor(file: FileHandle) {
    this.#file = file;
  }

  /** Creates the file, which must not exist, and makes its name durable. */
  static async create(path: string): Promise<LedgerWriter> {
    const file = await open(path, 'ax');
    const folder = await open(dirname(path), 'r');
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
    return new LedgerWriter(file);
  }

  async append(line: object): Promise<void> {
    this.#queue.push(JSON.stringify(line) + '\n');
    // A flush that is under way has taken its lines already: wait for it, then for the one that has ours.
    await this.#flushing;
    this.#flushing ??= this.#flush().finally(() => (this.#flushing = undefined));
    await this.#flushing;
  }

  async close(): Promise<void> {
    await this.#flushing;
    await this.#flush();
    await this.#file.close();
  }

  async #flush(): Promise<void> {
    if (this.#broken) throw this.#broken;
    const lines = this.#queue.splice(0);
    if (lines.length === 0) return;
    try {
      await this.#file.appendFile(lines.join(''));
      await this.#file.datasync();
    } catch (e) {
      // What reached the disk is unknown now: nothing may be claimed any more.
      this.#broken = e instanceof Error ? e : new Error(String(e));
      throw this.#broken;
    }
  }
}
