import type { Bucket } from '../../s3/bucket.ts';
import { openObject } from '../../s3/read-object.ts';
import type { AttachmentStore, FileState } from './attachment-store.ts';
import { hashChunks } from './hash-file.ts';
import { isAttachmentKey } from './walk.ts';

export class BucketStore implements AttachmentStore {
  readonly inPlace = false;
  readonly #bucket: Bucket;

  constructor(bucket: Bucket) {
    this.#bucket = bucket;
  }

  async *paths(signal: AbortSignal): AsyncIterable<string> {
    for await (const page of this.#bucket.pages('', { signal })) {
      for (const { key } of page) if (isAttachmentKey(key)) yield key;
    }
  }

  async stateOf(path: string): Promise<FileState | undefined> {
    const found = await this.#bucket.look(path);
    return found && { size: found.ContentLength ?? 0, mtimeMs: found.LastModified?.getTime() ?? 0 };
  }

  async hashOf(path: string, algorithm: string, signal: AbortSignal): Promise<string> {
    const { stream } = await openObject(this.#bucket, path, { signal });
    return hashChunks(stream, algorithm);
  }
}
