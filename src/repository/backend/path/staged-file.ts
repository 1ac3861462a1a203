import * as fs from 'node:fs';
import type { Staged, WritableFile } from '../backend.ts';
import { errnoCode, repositoryFsError } from './fs-error.ts';

/** Published files may be read by the owner's group, and written by nobody. */
export const PUBLISHED_MODE = 0o440;
/** So many bytes are given to the disk while more come, and from the next size on what is left at the end: the group's sync then finds little to do. */
const WRITE_BACK_EACH = 32 << 20;
const WRITE_BACK_LAST = 4 << 20;

/** A file below `incoming/`; created with the mode that it keeps, since publishing only links it. */
export class StagedFile implements Staged {
  readonly path: string;
  #fd: number | undefined;
  #size = 0;
  #givenToDisk = 0;
  #writeBack: Promise<void> = Promise.resolve();
  /** Syncs that are under way: the file must not be closed under them. */
  #syncs = 0;

  constructor(path: string) {
    this.path = path;
    this.#fd = fs.openSync(path, 'wx', PUBLISHED_MODE);
  }

  get size(): number {
    return this.#size;
  }

  get file(): WritableFile {
    const { path } = this;
    const descriptor = this.#openFd();
    return { path, descriptor, wrote: (total) => this.#grow(total, descriptor) };
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
    this.#grow(this.#size + chunk.length, fd);
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
    if (this.#size >= WRITE_BACK_LAST) this.#beginWriteBack(fd);
    this.#close();
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

  #grow(size: number, fd: number): void {
    this.#size = size;
    if (size - this.#givenToDisk >= WRITE_BACK_EACH) this.#beginWriteBack(fd);
  }

  #beginWriteBack(fd: number): void {
    this.#givenToDisk = this.#size;
    this.#syncs++;
    const sync = () =>
      new Promise<void>((resolve, reject) =>
        fs.fdatasync(fd, (error) => (error ? reject(repositoryFsError(error, `sync ${this.path}`)) : resolve())),
      );
    // The first failure is thrown by `written`; until someone asks it must not end the process.
    this.#writeBack = this.#writeBack.then(sync).finally(() => this.#syncs--);
    this.#writeBack.catch(() => undefined);
  }

  #openFd(): number {
    if (this.#fd === undefined) throw repositoryFsError(new Error('closed'), `write ${this.path}`);
    return this.#fd;
  }

  #close(): void {
    if (this.#fd === undefined) return;
    const fd = this.#fd;
    this.#fd = undefined;
    if (this.#syncs === 0) fs.closeSync(fd);
    else void this.#writeBack.catch(() => undefined).then(() => fs.closeSync(fd));
  }
}
