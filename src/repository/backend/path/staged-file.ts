import * as fs from 'node:fs';
import type { Staged, WritableFile } from '../backend.ts';
import { errnoCode, repositoryFsError } from './fs-error.ts';
import { WriteBack } from './write-back.ts';

/** Published files may be read by the owner's group, and written by nobody. */
export const PUBLISHED_MODE = 0o440;

/** A file below `incoming/`; created with the mode that it keeps, since publishing only links it. */
export class StagedFile implements Staged {
  readonly path: string;
  #fd: number | undefined;
  #size = 0;
  readonly #writeBack: WriteBack;

  constructor(path: string) {
    this.path = path;
    const fd = fs.openSync(path, 'wx', PUBLISHED_MODE);
    this.#fd = fd;
    this.#writeBack = new WriteBack(fd, (cause) => repositoryFsError(cause, `sync ${path}`));
  }

  get size(): number {
    return this.#size;
  }

  get file(): WritableFile {
    const { path } = this;
    const descriptor = this.#openFd();
    return { path, descriptor, wrote: (total) => this.#grow(total) };
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
    this.#grow(this.#size + chunk.length);
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
    this.#openFd();
    this.#writeBack.end(this.#size);
    this.#close();
  }

  /** Fails when an early write-back failed. */
  written(): Promise<void> {
    return this.#writeBack.settled();
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

  #grow(size: number): void {
    this.#size = size;
    this.#writeBack.wrote(size);
  }

  #openFd(): number {
    if (this.#fd === undefined) throw repositoryFsError(new Error('closed'), `write ${this.path}`);
    return this.#fd;
  }

  #close(): void {
    if (this.#fd === undefined) return;
    const fd = this.#fd;
    this.#fd = undefined;
    if (!this.#writeBack.busy) fs.closeSync(fd);
    else {
      void this.#writeBack
        .settled()
        .catch(() => undefined)
        .then(() => fs.closeSync(fd));
    }
  }
}
