import * as fs from 'node:fs';
import { SkepError } from '../../errors.ts';
import type { FileIdentity } from '../hint-cache.ts';
import type { ContentSource } from '../backend/backend.ts';
import type { Pace } from './pace.ts';
import { errnoCode } from '../backend/path/fs-error.ts';

/** A file of the cluster, opened for reading. */
export class SourceFile {
  readonly path: string;
  readonly #fd: number;
  #users = 1;

  /** Errors: `file-missing`, `file-unreadable` (also for what is not a regular file). */
  constructor(path: string) {
    this.path = path;
    try {
      // Without O_NONBLOCK a named pipe would hold up the whole process.
      this.#fd = fs.openSync(path, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK);
    } catch (error) {
      throw sourceError(error, path);
    }
  }

  /** Size in bytes as it is now. */
  size(): number {
    const stat = this.#try(() => fs.fstatSync(this.#fd));
    if (!stat.isFile()) throw new SkepError('file-unreadable', `${this.path} is not a regular file`);
    return stat.size;
  }

  identity(): FileIdentity {
    const { dev, ino, size, mtimeNs } = this.#try(() => fs.fstatSync(this.#fd, { bigint: true }));
    return { dev, ino, size, mtimeNs };
  }

  /** One read; of a regular file less than asked means the end. */
  readSync(into: Buffer, position: number): number {
    return this.#try(() => fs.readSync(this.#fd, into, 0, into.length, position));
  }

  /** 0 means the end. */
  read(into: Buffer, position: number): Promise<number> {
    return new Promise((resolve, reject) =>
      fs.read(this.#fd, into, 0, into.length, position, (error, n) =>
        error ? reject(sourceError(error, this.path)) : resolve(n),
      ),
    );
  }

  get descriptor(): number {
    return this.#fd;
  }

  /** As it was read: it stays open until this is closed too. */
  share({ size, sha256 }: { size: number; sha256: string }, pace: Pace | undefined): ContentSource {
    this.#users++;
    return {
      path: this.path,
      size,
      sha256,
      read: async (into, position) => {
        await pace?.take(Math.min(into.length, size - position));
        return this.read(into, position);
      },
      close: () => this.close(),
    };
  }

  close(): void {
    if (--this.#users === 0) fs.closeSync(this.#fd);
  }

  #try<T>(action: () => T): T {
    try {
      return action();
    } catch (error) {
      throw sourceError(error, this.path);
    }
  }
}

/** Identity of a file that is not open. */
export function identify(path: string): FileIdentity {
  try {
    const { dev, ino, size, mtimeNs } = fs.statSync(path, { bigint: true });
    return { dev, ino, size, mtimeNs };
  } catch (error) {
    throw sourceError(error, path);
  }
}

/** A failure to read a file of the cluster as a typed error. */
export function sourceError(error: unknown, path: string): SkepError {
  const code = errnoCode(error);
  if (code === 'ENOENT') return new SkepError('file-missing', `${path} is gone`, { cause: error, context: { path } });
  return new SkepError('file-unreadable', `cannot read ${path}: ${code}`, { cause: error, context: { path } });
}
