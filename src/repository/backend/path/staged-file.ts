import * as fs from 'node:fs';
import type { Staged } from '../backend.ts';
import { errnoCode, repositoryFsError } from './fs-error.ts';

/** Published files may be read by the owner's group, and written by nobody. */
export const PUBLISHED_MODE = 0o440;
/** From this size on a file's write-back begins when it is complete, so that the group's sync finds little to do. */
const EARLY_WRITE_BACK = 4 << 20;

/** A file below `incoming/`; created with the mode that it keeps, since publishing only links it. */
export class StagedFile implements Staged {
  readonly path: string;
  #fd: number | undefined;
  #size = 0;
  #writeBack: Promise<void> = Promise.resolve();

  constructor(path: string) {
    this.path = path;
    this.#fd = fs.openSync(path, 'wx', PUBLISHED_MODE);
  }

  get size(): number {
    return this.#size;
  }

  async write(chunk: Uint8Array): Promise<void> {
    const fd = this.#openFd();
    let done = 0;
    while (done < chunk.length) {
      done += await new Promise<number>((resolve, reject) =>
        fs.write(fd, chunk, done, chunk.length - done, this.#size + done, (error, written) =>
          error ? reject(repositoryFsError(error, `write ${this.path}`)) : resolve(written),
        ),
      );
    }
    this.#size += chunk.length;
  }

  writeAllSync(bytes: Uint8Array): void {
    const fd = this.#openFd();
    try {
      let done = 0;
      while (done < bytes.length) done += fs.writeSync(fd, bytes, done, bytes.length - done);
      this.#size = bytes.length;
      this.#close();
    } catch (error) {
      this.discardSync();
      throw repositoryFsError(error, `write ${this.path}`);
    }
  }

  async end(): Promise<void> {
    const fd = this.#openFd();
    if (this.#size < EARLY_WRITE_BACK) {
      this.#close();
      return;
    }
    this.#fd = undefined;
    this.#writeBack = new Promise((resolve, reject) =>
      fs.fdatasync(fd, (error) => {
        fs.closeSync(fd);
        if (error) reject(repositoryFsError(error, `sync ${this.path}`));
        else resolve();
      }),
    );
    // A failure is thrown by `written`; until someone asks it must not end the process.
    this.#writeBack.catch(() => undefined);
  }

  /** Fails when an early write-back failed. */
  written(): Promise<void> {
    return this.#writeBack;
  }

  async discard(): Promise<void> {
    this.discardSync();
  }

  discardSync(): void {
    this.#close();
    try {
      fs.unlinkSync(this.path);
    } catch (error) {
      if (errnoCode(error) !== 'ENOENT') throw repositoryFsError(error, `remove ${this.path}`);
    }
  }

  #openFd(): number {
    if (this.#fd === undefined) throw repositoryFsError(new Error('closed'), `write ${this.path}`);
    return this.#fd;
  }

  #close(): void {
    if (this.#fd === undefined) return;
    const fd = this.#fd;
    this.#fd = undefined;
    fs.closeSync(fd);
  }
}
