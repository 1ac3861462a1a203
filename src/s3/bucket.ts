import {
  CopyObjectCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  type GetObjectCommandOutput,
  HeadObjectCommand,
  type HeadObjectCommandOutput,
  ListObjectsV2Command,
  PutObjectCommand,
  type S3Client,
} from '@aws-sdk/client-s3';
import type { Readable } from 'node:stream';
import { SkepError } from '../errors.ts';
import type { S3Access } from './access.ts';
import { Budget } from './budget.ts';
import { makeClient } from './client.ts';
import { isCode, isRetryable, s3Error } from './errors.ts';
import { parseS3Location } from './location.ts';
import type { S3Purpose } from './purpose.ts';
import { withRetry } from './retry.ts';

/** Requests under way at once, of all that one bucket is asked. */
const REQUESTS = 32;
/** A place that never answered is given up soon, one that did is waited for: about half a minute. */
const FIRST_ATTEMPTS = 3;
const LATER_ATTEMPTS = 9;

/** A key as a listing tells it. */
export interface ListedKey {
  key: string;
  size: number;
  /** When it was written last, in ms since 1970, by the storage's clock. */
  modifiedMs?: number;
}

/** What one request may be given. */
export interface RequestOptions {
  abortSignal?: AbortSignal;
}

/** Requests below one prefix of one bucket: retried, with typed errors. */
export class Bucket {
  readonly location: string;
  readonly client: S3Client;
  readonly bucket: string;
  protected readonly access: S3Access;
  readonly #purpose: S3Purpose;
  readonly #prefix: string;
  readonly #endpoint: string;
  readonly #requests = new Budget(REQUESTS);
  #answered = false;

  constructor(location: string, access: S3Access, purpose: S3Purpose) {
    this.location = location;
    const { bucket, prefix } = parseS3Location(location);
    this.bucket = bucket;
    this.#prefix = prefix;
    this.#endpoint = access.endpoint ?? `Amazon S3 in ${access.region}`;
    this.access = access;
    this.#purpose = purpose;
    this.client = makeClient(access, REQUESTS);
  }

  /** Overwrites what is there. */
  async put(key: string, body: Uint8Array, signal?: AbortSignal): Promise<void> {
    const input = { ...this.at(key), Body: body };
    await this.call(`write ${key}`, (o) => this.client.send(new PutObjectCommand(input), o), signal);
  }

  /** What the storage tells of a key; undefined when it is not there. */
  async look(key: string, signal?: AbortSignal): Promise<HeadObjectCommandOutput | undefined> {
    const input = this.at(key);
    try {
      return await this.call(
        `look at ${key}`,
        (o) => this.client.send(new HeadObjectCommand(input), o).catch((e: unknown) => this.#explain(key, e, o)),
        signal,
      );
    } catch (error) {
      if (this.isAbsent(error)) return undefined;
      throw error;
    }
  }

  /** The answer's stream must be read or destroyed. Undefined for a range that begins behind the end. */
  async open(
    key: string,
    o: {
      range?: { start: number; end: number } | undefined;
      version?: string | undefined;
      /** What its ETag must be: it is still the object that was begun. */
      etag?: string | undefined;
    } = {},
    signal?: AbortSignal,
  ): Promise<(GetObjectCommandOutput & { Body: Readable }) | undefined> {
    const { range, version, etag } = o;
    const last = range === undefined || range.end === Infinity ? '' : range.end - 1;
    const input = {
      ...this.at(key),
      ...(range === undefined ? {} : { Range: `bytes=${range.start}-${last}` }),
      ...(version === undefined ? {} : { VersionId: version }),
      ...(etag === undefined ? {} : { IfMatch: etag }),
    };
    const found = await this.call(
      `read ${key}`,
      (options) =>
        this.client.send(new GetObjectCommand(input), options).catch((error: unknown) => {
          if (isCode(error, 'InvalidRange')) return undefined;
          throw error;
        }),
      signal,
    );
    return found as (GetObjectCommandOutput & { Body: Readable }) | undefined;
  }

  /** Keys in the order of their bytes, page by page; those behind `after`, if given. */
  async *pages(
    prefix: string,
    { after, signal }: { after?: string; signal?: AbortSignal } = {},
  ): AsyncGenerator<ListedKey[]> {
    let token: string | undefined;
    do {
      const input = {
        Bucket: this.bucket,
        Prefix: this.#prefix + prefix,
        ...(token === undefined ? {} : { ContinuationToken: token }),
        ...(after === undefined || token !== undefined ? {} : { StartAfter: this.#prefix + after }),
      };
      const page = await this.call(
        `list ${prefix}`,
        (o) => this.client.send(new ListObjectsV2Command(input), o),
        signal,
      );
      yield (page.Contents ?? []).map(({ Key = '', Size = 0, LastModified }) => {
        const modified = LastModified === undefined ? {} : { modifiedMs: LastModified.getTime() };
        return { key: this.keyOf(Key), size: Size, ...modified };
      });
      const before = token;
      token = page.IsTruncated === true ? page.NextContinuationToken : undefined;
      if (page.IsTruncated === true && (token === undefined || token === before)) throw this.endless(`list ${prefix}`);
    } while (token !== undefined);
  }

  /** By the storage itself. At most 5 GiB. */
  async copy(from: string, to: string, signal?: AbortSignal): Promise<void> {
    const source = `${this.bucket}/${this.#prefix}${from}`.split('/').map(encodeURIComponent).join('/');
    const input = { ...this.at(to), CopySource: source };
    await this.call(`copy ${from}`, (o) => this.client.send(new CopyObjectCommand(input), o), signal);
  }

  /** As any program deletes: a bucket that keeps versions keeps this one. May be repeated. */
  async remove(key: string, signal?: AbortSignal): Promise<void> {
    const command = new DeleteObjectCommand(this.at(key));
    await this.call(`delete ${key}`, (o) => this.client.send(command, o), signal);
  }

  /** Runs one request: bounded in number, retried, its failure a SkepError. */
  async call<T>(what: string, request: (options: RequestOptions) => Promise<T>, signal?: AbortSignal): Promise<T> {
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
    const place = { location: this.location, endpoint: this.#endpoint, purpose: this.#purpose };
    return s3Error(error, what, place, signal);
  }

  /** For a listing that says that it goes on and not where. */
  endless(what: string): SkepError {
    return this.failure(Object.assign(new Error('a listing does not go on'), { name: 'TruncatedListing' }), what);
  }

  /** Whether an error says that a key is not there. */
  isAbsent(error: unknown): boolean {
    if (!(error instanceof SkepError) || error.code !== this.#purpose.noObject) return false;
    return error.context['code'] !== 'NoSuchBucket';
  }

  /** The answer to a HEAD has no body, so no code: anything but "not there" is asked for again with a GET. */
  async #explain(key: string, error: unknown, options: RequestOptions): Promise<never> {
    const status = (error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode;
    if (status === undefined || status === 404 || status >= 500) throw error;
    const answer = await this.client.send(new GetObjectCommand({ ...this.at(key), Range: 'bytes=0-0' }), options);
    (answer.Body as Readable).destroy();
    throw error;
  }
}
