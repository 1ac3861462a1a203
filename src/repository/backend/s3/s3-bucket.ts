import { HeadObjectCommand, PutObjectCommand, type PutObjectCommandInput } from '@aws-sdk/client-s3';
import { createHash, randomBytes } from 'node:crypto';
import { SkepError } from '../../../errors.ts';
import type { S3Access } from '../../../s3/access.ts';
import { Bucket, type RequestOptions } from '../../../s3/bucket.ts';
import { makeClient } from '../../../s3/client.ts';
import { isCode, isCutOff } from '../../../s3/errors.ts';
import { FOR_REPOSITORY } from '../../../s3/purpose.ts';
import type { ContentSource } from '../backend.ts';
import { sendSource } from './send-source.ts';

const TWENTY_MINUTES_MS = 20 * 60_000;
/** Metadata of every key: tells whether a creation whose answer was lost was ours. */
export const TOKEN = 'skep-put';

/** Who has the right to bypass it may end a lock: skep never asks for that. */
export const LOCK_MODE = 'GOVERNANCE';

export interface Head {
  size: number;
  token?: string;
  version?: string;
  retainUntil?: Date;
}

/** What a repository asks of a bucket beside what any does: keys that are created and never written over. */
export class S3Bucket extends Bucket {
  constructor(location: string, access: S3Access) {
    super(location, access, FOR_REPOSITORY);
  }

  /** Create-only, by the storage's own condition. May be repeated. */
  async create(
    key: string,
    body: Uint8Array | ContentSource,
    options: { signal?: AbortSignal; lockUntil?: Date } = {},
  ): Promise<'created' | 'exists'> {
    const { signal, lockUntil } = options;
    const token = newToken();
    const lock = lockUntil === undefined ? {} : lockedFrom(body as Uint8Array, lockUntil);
    const input = { ...this.at(key), IfNoneMatch: '*', Metadata: { [TOKEN]: token }, ...lock };
    const attempt = async (o: RequestOptions): Promise<'created' | 'exists'> => {
      try {
        await this.#send(input, body, o);
        return 'created';
      } catch (error) {
        return await this.#judgeCutOff(key, token, error, o);
      }
    };
    try {
      return await this.call(`write ${key}`, attempt, signal);
    } catch (error) {
      return await this.isOurs(key, token, error, signal);
    }
  }

  async overwrite(key: string, body: Uint8Array | ContentSource, signal?: AbortSignal): Promise<'created'> {
    await this.call(`write ${key}`, (o) => this.#send(this.at(key), body, o), signal);
    return 'created';
  }

  async head(key: string, signal?: AbortSignal): Promise<Head | undefined> {
    const found = await this.look(key, signal);
    if (found === undefined) return undefined;
    const { ContentLength: size = 0, Metadata, VersionId: version, ObjectLockRetainUntilDate: retainUntil } = found;
    const token = Metadata?.[TOKEN];
    return {
      size,
      ...(token === undefined ? {} : { token }),
      ...(version === undefined ? {} : { version }),
      ...(retainUntil === undefined ? {} : { retainUntil }),
    };
  }

  /** Whether a request is refused that was signed twenty minutes ago: who was paused for so long can do nothing more. */
  async refusesOld(key: string): Promise<boolean> {
    const late = makeClient(this.access, 1, { systemClockOffset: -TWENTY_MINUTES_MS });
    try {
      await late.send(new PutObjectCommand({ ...this.at(key), Body: '' }));
      return false;
    } catch (error) {
      if (isCode(error, 'RequestTimeTooSkewed', 'RequestExpired')) return true;
      throw this.failure(error, `write ${key}`);
    } finally {
      late.destroy();
    }
  }

  /** Judges a creation that failed: one that was repeated since its answer was lost finds what it made itself. */
  async isOurs(key: string, token: string, error: unknown, signal?: AbortSignal): Promise<'created' | 'exists'> {
    const { status, code } = error instanceof SkepError ? error.context : {};
    if (status !== 412 && code !== 'NoSuchUpload') throw error;
    const found = await this.head(key, signal);
    if (found !== undefined) return found.token === token ? 'created' : 'exists';
    throw status === 412 ? refused(key, error) : error;
  }

  async #send(input: PutObjectCommandInput, body: Uint8Array | ContentSource, options: RequestOptions): Promise<void> {
    if (body instanceof Uint8Array) await this.client.send(new PutObjectCommand({ ...input, Body: body }), options);
    else await sendSource(this.client, input, body, options);
  }

  /**
   * A storage that has the key may answer so and hang up before it has read a large body: that looks like a network that
   * failed, at every attempt.
   */
  async #judgeCutOff(key: string, token: string, error: unknown, o: RequestOptions): Promise<'created' | 'exists'> {
    if (!isCutOff(error)) throw error;
    const found = await this.client.send(new HeadObjectCommand(this.at(key)), o).catch(() => undefined);
    if (found === undefined) throw error;
    return found.Metadata?.[TOKEN] === token ? 'created' : 'exists';
  }
}

export function newToken(): string {
  return randomBytes(12).toString('hex');
}

/** A request that locks must carry a checksum of its body. */
function lockedFrom(body: Uint8Array, until: Date) {
  const ContentMD5 = createHash('md5').update(body).digest('base64');
  return { ObjectLockMode: LOCK_MODE, ObjectLockRetainUntilDate: until, ContentMD5 };
}

function refused(key: string, cause: unknown): SkepError {
  const hint = 'The bucket may keep a deleted version of it: remove that version, then run the command again.';
  return new SkepError('repository-failed', `the storage does not create ${key} though it is not there`, {
    cause,
    hint,
  });
}
