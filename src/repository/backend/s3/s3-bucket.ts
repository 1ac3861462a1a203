import {
  CopyObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  type PutObjectCommandInput,
  type S3Client,
} from '@aws-sdk/client-s3';
import { createHash, randomBytes } from 'node:crypto';
import type { Readable } from 'node:stream';
import { SkepError } from '../../../errors.ts';
import type { S3Access } from '../../access.ts';
import type { ByteRange, ContentSource, StoredKey } from '../backend.ts';
import { Budget } from './budget.ts';
import { withRetry } from './retry.ts';
import { makeClient } from './s3-client.ts';
import { isCode, isCutOff, isRetryable, s3Error } from './s3-error.ts';
import { parseS3Location } from './s3-location.ts';
import { sendSource } from './send-source.ts';

/** Requests under way at once, of all that one backend does. */
const REQUESTS = 32;
/** A place that never answered is given up soon, one that did is waited for: about half a minute. */
const FIRST_ATTEMPTS = 3;
const LATER_ATTEMPTS = 9;
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

/** The requests that a backend needs, below one prefix of one bucket: retried, with typed errors. */
export class S3Bucket {
  readonly location: string;
  readonly client: S3Client;
  readonly bucket: string;
  readonly #prefix: string;
  readonly #endpoint: string;
  readonly #access: S3Access;
  readonly #requests = new Budget(REQUESTS);
  #answered = false;

  constructor(location: string, access: S3Access) {
    this.location = location;
    const { bucket, prefix } = parseS3Location(location);
    this.bucket = bucket;
    this.#prefix = prefix;
    this.#endpoint = access.endpoint ?? `Amazon S3 in ${access.region}`;
    this.#access = access;
    this.client = makeClient(access, REQUESTS);
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
    const attempt = async (o: { abortSignal?: AbortSignal }): Promise<'created' | 'exists'> => {
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
    const input = this.at(key);
    try {
      const found = await this.call(
        `look at ${key}`,
        (o) => this.client.send(new HeadObjectCommand(input), o).catch((e: unknown) => this.#explain(key, e, o)),
        signal,
      );
      const { ContentLength: size = 0, Metadata, VersionId: version, ObjectLockRetainUntilDate: retainUntil } = found;
      const token = Metadata?.[TOKEN];
      return {
        size,
        ...(token === undefined ? {} : { token }),
        ...(version === undefined ? {} : { version }),
        ...(retainUntil === undefined ? {} : { retainUntil }),
      };
    } catch (error) {
      if (error instanceof SkepError && error.code === 'object-missing') return undefined;
      throw error;
    }
  }

  /** The stream must be read or destroyed. Undefined for a range that begins behind the end. */
  async get(key: string, range: ByteRange | undefined, signal?: AbortSignal): Promise<Readable | undefined> {
    const last = range === undefined || range.end === Infinity ? '' : range.end - 1;
    const input = { ...this.at(key), ...(range === undefined ? {} : { Range: `bytes=${range.start}-${last}` }) };
    const found = await this.call(
      `read ${key}`,
      (o) =>
        this.client.send(new GetObjectCommand(input), o).catch((error: unknown) => {
          if (isCode(error, 'InvalidRange')) return undefined;
          throw error;
        }),
      signal,
    );
    return found?.Body as Readable | undefined;
  }

  /** Keys in the order of their bytes, page by page; those behind `after`, if given. */
  async *pages(prefix: string, after?: string): AsyncGenerator<StoredKey[]> {
    let token: string | undefined;
    do {
      const input = {
        Bucket: this.bucket,
        Prefix: this.#prefix + prefix,
        ...(token === undefined ? {} : { ContinuationToken: token }),
        ...(after === undefined || token !== undefined ? {} : { StartAfter: this.#prefix + after }),
      };
      const page = await this.call(`list ${prefix}`, (o) => this.client.send(new ListObjectsV2Command(input), o));
      yield (page.Contents ?? []).map(({ Key = '', Size = 0, LastModified }) => {
        const modified = LastModified === undefined ? {} : { modifiedMs: LastModified.getTime() };
        return { key: this.keyOf(Key), size: Size, ...modified };
      });
      token = page.IsTruncated === true ? page.NextContinuationToken : undefined;
    } while (token !== undefined);
  }

  async copy(from: string, to: string): Promise<void> {
    const source = `${this.bucket}/${this.#prefix}${from}`.split('/').map(encodeURIComponent).join('/');
    const input = { ...this.at(to), CopySource: source };
    await this.call(`copy ${from}`, (o) => this.client.send(new CopyObjectCommand(input), o));
  }

  /** Whether a request is refused that was signed twenty minutes ago: who was paused for so long can do nothing more. */
  async refusesOld(key: string): Promise<boolean> {
    const late = makeClient(this.#access, 1, { systemClockOffset: -TWENTY_MINUTES_MS });
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

  /** Runs one request: bounded in number, retried, its failure a SkepError. */
  async call<T>(
    what: string,
    request: (options: { abortSignal?: AbortSignal }) => Promise<T>,
    signal?: AbortSignal,
  ): Promise<T> {
    const attempt = async (): Promise<T> => {
      const done = await this.#requests.acquire(1);
      try {
        const answer = await request(signal === undefined ? {} : { abortSignal: signal });
        this.#answered = true;
        return answer;
      } finally {
        done();
      }
    };
    const attempts = (): number => (this.#answered ? LATER_ATTEMPTS : FIRST_ATTEMPTS);
    try {
      return await withRetry(attempt, { isRetryable, attempts, signal });
    } catch (error) {
      throw this.failure(error, what, signal);
    }
  }

  at(key: string): { Bucket: string; Key: string } {
    return { Bucket: this.bucket, Key: this.#prefix + key };
  }

  keyOf(stored: string): string {
    return stored.slice(this.#prefix.length);
  }

  failure(error: unknown, what: string, signal?: AbortSignal): SkepError {
    return s3Error(error, what, { location: this.location, endpoint: this.#endpoint }, signal);
  }

  /** Judges a creation that failed: one that was repeated since its answer was lost finds what it made itself. */
  async isOurs(key: string, token: string, error: unknown, signal?: AbortSignal): Promise<'created' | 'exists'> {
    const { status, code } = error instanceof SkepError ? error.context : {};
    if (status !== 412 && code !== 'NoSuchUpload') throw error;
    const found = await this.head(key, signal);
    if (found !== undefined) return found.token === token ? 'created' : 'exists';
    throw status === 412 ? refused(key, error) : error;
  }

  async #send(
    input: PutObjectCommandInput,
    body: Uint8Array | ContentSource,
    options: { abortSignal?: AbortSignal },
  ): Promise<void> {
    if (body instanceof Uint8Array) await this.client.send(new PutObjectCommand({ ...input, Body: body }), options);
    else await sendSource(this.client, input, body, options);
  }

  /**
   * A storage that has the key may answer so and hang up before it has read a large body: that looks like a network that
   * failed, at every attempt.
   */
  async #judgeCutOff(
    key: string,
    token: string,
    error: unknown,
    o: { abortSignal?: AbortSignal },
  ): Promise<'created' | 'exists'> {
    if (!isCutOff(error)) throw error;
    const found = await this.client.send(new HeadObjectCommand(this.at(key)), o).catch(() => undefined);
    if (found === undefined) throw error;
    return found.Metadata?.[TOKEN] === token ? 'created' : 'exists';
  }

  /** The answer to a HEAD has no body, so no code: anything but "not there" is asked for again with a GET. */
  async #explain(key: string, error: unknown, options: { abortSignal?: AbortSignal }): Promise<never> {
    const status = (error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode;
    if (status === undefined || status === 404 || status >= 500) throw error;
    const answer = await this.client.send(new GetObjectCommand({ ...this.at(key), Range: 'bytes=0-0' }), options);
    (answer.Body as Readable).destroy();
    throw error;
  }
}

/** A question about the bucket that the storage does not know, or does not answer to us. */
export function isUnknownToStorage(error: unknown): boolean {
  const status = error instanceof SkepError ? Number(error.context['status']) : NaN;
  return status < 500 || status === 501;
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
