import {
  DeleteObjectsCommand,
  GetBucketVersioningCommand,
  ListObjectVersionsCommand,
  type ListObjectVersionsCommandInput,
  type ListObjectVersionsCommandOutput,
  type ObjectIdentifier,
} from '@aws-sdk/client-s3';
import { SkepError } from '../../../errors.ts';
import { isUnknownToStorage } from '../../../s3/errors.ts';
import type { S3Bucket } from './s3-bucket.ts';

/** What one request may delete. */
const BATCH = 1000;

/**
 * Deletes keys for good. Where a bucket keeps versions (object lock makes it), a plain deletion would free nothing and
 * hide even what is locked: so every version is named, and what is locked stays and is an error.
 */
export class Deleter {
  readonly #bucket: S3Bucket;
  #versioned: Promise<boolean> | undefined;

  constructor(bucket: S3Bucket) {
    this.#bucket = bucket;
  }

  /** Keys that are not there are no failure. May be repeated. `fence`: see `Backend.deleteMany`. */
  async deleteKeys(keys: readonly string[], fence?: () => void): Promise<void> {
    const versioned = await this.#isVersioned();
    for (let from = 0; from < keys.length; from += BATCH) {
      const batch = keys.slice(from, from + BATCH);
      if (!versioned)
        await this.#delete(
          batch.map((key) => ({ Key: this.#bucket.at(key).Key })),
          fence,
        );
      else await Promise.all(batch.map((key) => this.#deleteVersions(key, (found) => found === key, fence)));
    }
  }

  async deletePrefix(prefix: string): Promise<void> {
    if (await this.#isVersioned()) return void (await this.#deleteVersions(prefix, () => true));
    for await (const page of this.#bucket.pages(prefix)) await this.deleteKeys(page.map(({ key }) => key));
  }

  /** Deletes what was written over below a prefix, and keeps what is there now; gives how much that was. */
  async deleteOldVersions(prefix: string): Promise<number> {
    if (!(await this.#isVersioned())) return 0;
    return this.#deleteVersions(prefix, (_, isLatest) => !isLatest);
  }

  async #deleteVersions(
    prefix: string,
    wanted: (key: string, isLatest: boolean) => boolean,
    fence?: () => void,
  ): Promise<number> {
    let deleted = 0;
    const { Bucket, Key: Prefix } = this.#bucket.at(prefix);
    let next: Pick<ListObjectVersionsCommandInput, 'KeyMarker' | 'VersionIdMarker'> | undefined = {};
    while (next !== undefined) {
      const command = new ListObjectVersionsCommand({ Bucket, Prefix, ...next });
      const page: ListObjectVersionsCommandOutput = await this.#bucket.call(`list the versions of ${prefix}`, (o) =>
        this.#bucket.client.send(command, o),
      );
      const found = [...(page.Versions ?? []), ...(page.DeleteMarkers ?? [])]
        .filter(({ Key = '', IsLatest }) => wanted(this.#bucket.keyOf(Key), IsLatest === true))
        .map(({ Key = '', VersionId }) => ({ Key, ...(VersionId === undefined ? {} : { VersionId }) }));
      await this.#delete(found, fence);
      deleted += found.length;
      const { NextKeyMarker: KeyMarker, NextVersionIdMarker: VersionIdMarker } = page;
      next = page.IsTruncated === true ? { KeyMarker, VersionIdMarker } : undefined;
    }
    return deleted;
  }

  async #delete(Objects: ObjectIdentifier[], fence?: () => void): Promise<void> {
    if (Objects.length === 0) return;
    const { bucket: Bucket, client } = this.#bucket;
    const what = `delete ${Objects.length === 1 ? this.#bucket.keyOf(Objects[0]?.Key ?? '') : `${Objects.length} keys`}`;
    const command = new DeleteObjectsCommand({ Bucket, Delete: { Objects, Quiet: true } });
    if (fence !== undefined) callWhenSigned(command, fence);
    const { Errors = [] } = await this.#bucket.call(what, (o) => client.send(command, o));
    const first = Errors.find(({ Code }) => Code !== 'NoSuchKey' && Code !== 'NoSuchVersion');
    if (first === undefined) return;
    const error = Object.assign(new Error(first.Message ?? 'refused'), { name: first.Code ?? 'unknown' });
    throw this.#bucket.failure(error, `delete ${this.#bucket.keyOf(first.Key ?? '')}`);
  }

  /** A storage that does not know the question, or does not answer it to us, is taken for one without versions. */
  #isVersioned(): Promise<boolean> {
    const { bucket: Bucket, client } = this.#bucket;
    this.#versioned ??= this.#bucket
      .call('ask for versions', (o) => client.send(new GetBucketVersioningCommand({ Bucket }), o))
      .then(
        ({ Status }) => Status === 'Enabled' || Status === 'Suspended',
        (error: unknown) => {
          if (isUnknownToStorage(error)) return false;
          this.#versioned = undefined;
          throw error;
        },
      );
    return this.#versioned;
  }
}

/** Each attempt is signed anew. */
function callWhenSigned(command: DeleteObjectsCommand, fence: () => void): void {
  command.middlewareStack.add(
    (next) => (args) => {
      const { headers } = args.request as { headers: Record<string, string> };
      if (headers['authorization'] === undefined) throw new SkepError('internal', 'a deletion is not signed yet');
      fence();
      return next(args);
    },
    // The last of this step, in which requests are signed.
    { step: 'finalizeRequest', priority: 'low' },
  );
}
