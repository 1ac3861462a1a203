import * as fs from 'node:fs';

/** So many bytes are given to the disk while more come, and from the next size on what is left at the end: the last sync of all then finds little to do. */
const EACH = 32 << 20;
const LAST = 4 << 20;

/** Gives what is written to a file to the disk while more of it comes. */
export class WriteBack {
  readonly #descriptor: number;
  readonly #failed: (cause: unknown) => Error;
  #given = 0;
  #syncs: Promise<void> = Promise.resolve();
  #underWay = 0;

  constructor(descriptor: number, failed: (cause: unknown) => Error) {
    this.#descriptor = descriptor;
    this.#failed = failed;
  }

  /** So many bytes of the file are written. */
  wrote(total: number): void {
    if (total - this.#given >= EACH) this.#begin(total);
  }

  /** No more than `total` bytes come. */
  end(total: number): void {
    if (total >= LAST) this.#begin(total);
  }

  /** The file must not be closed meanwhile. */
  get busy(): boolean {
    return this.#underWay > 0;
  }

  /** Fails when one of the syncs so far has failed. */
  settled(): Promise<void> {
    return this.#syncs;
  }

  #begin(total: number): void {
    this.#given = total;
    this.#underWay++;
    const sync = () =>
      new Promise<void>((resolve, reject) =>
        fs.fdatasync(this.#descriptor, (cause) => (cause ? reject(this.#failed(cause)) : resolve())),
      );
    // The first failure is thrown by `settled`; until someone asks it must not end the process.
    this.#syncs = this.#syncs.then(sync).finally(() => this.#underWay--);
    this.#syncs.catch(() => undefined);
  }
}
