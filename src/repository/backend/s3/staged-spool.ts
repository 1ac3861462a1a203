import { randomBytes } from 'node:crypto';
import { type FileHandle, open, unlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SkepError } from '../../../errors.ts';
import type { Staged } from '../backend.ts';
import { errnoCode } from '../path/fs-error.ts';
import type { BatchContext } from './s3-batch.ts';
import { StagedUpload } from './staged-upload.ts';

const CHUNK = 1 << 20;

/**
 * A content whose key is not known before its end: kept on this machine until then, in a file without a name, which the
 * system removes with the process.
 */
export class StagedSpool implements Staged {
  readonly #file: FileHandle;
  readonly #place: string;
  #size = 0;
  #upload: StagedUpload | undefined;
  #closed = false;

  static async open(): Promise<StagedSpool> {
    const place = tmpdir();
    const path = join(place, `skep-${randomBytes(8).toString('hex')}`);
    try {
      const file = await open(path, 'wx+', 0o600);
      await unlink(path);
      return new StagedSpool(file, place);
    } catch (error) {
      throw spoolError(error, place);
    }
  }

  private constructor(file: FileHandle, place: string) {
    this.#file = file;
    this.#place = place;
  }

  get size(): number {
    return this.#size;
  }

  async write(chunk: Uint8Array): Promise<void> {
    try {
      for (let done = 0; done < chunk.length;) {
        const { bytesWritten } = await this.#file.write(chunk, done, chunk.length - done, this.#size + done);
        done += bytesWritten;
      }
    } catch (error) {
      throw spoolError(error, this.#place);
    }
    this.#size += chunk.length;
  }

  async end(): Promise<void> {}

  /** May be called again after `exists`. */
  async create(context: BatchContext, key: string, o: { overwrite?: boolean }): Promise<'created' | 'exists'> {
    this.#upload ??= await this.#send(context, key);
    return this.#upload.create(o);
  }

  async discard(): Promise<void> {
    await this.#upload?.discard();
    if (!this.#closed) {
      this.#closed = true;
      await this.#file.close();
    }
  }

  async #send(context: BatchContext, key: string): Promise<StagedUpload> {
    const upload = new StagedUpload(context, { key, size: this.#size });
    try {
      const chunk = Buffer.allocUnsafe(Math.min(CHUNK, this.#size));
      for (let at = 0; at < this.#size;) {
        const { bytesRead } = await this.#file.read(chunk, 0, chunk.length, at);
        if (bytesRead === 0) throw new SkepError('internal', 'a staged file has become shorter');
        await upload.write(chunk.subarray(0, bytesRead));
        at += bytesRead;
      }
      await upload.end();
      return upload;
    } catch (error) {
      await upload.discard();
      throw error instanceof SkepError ? error : spoolError(error, this.#place);
    }
  }
}

function spoolError(error: unknown, place: string): SkepError {
  const code = errnoCode(error);
  const hint = `Free space there, or set TMPDIR for the agent to a folder that has some.`;
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new SkepError('no-space', `no space in ${place} for a content on its way to the storage`, {
      cause: error,
      hint,
    });
  }
  return new SkepError('command-failed', `cannot use ${place} for a content on its way: ${code}`, { cause: error });
}
