import { createHash } from 'node:crypto';
import type { Bucket } from '../../s3/bucket.ts';
import { openObject } from '../../s3/read-object.ts';
import type { AttachmentStore, FileState } from './attachment-store.ts';
import { isAttachmentKey } from './walk.ts';

export class BucketStore implements AttachmentStore {
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

  sha256Of(path: string, signal: AbortSignal): Promise<string> {
    return sha256OfKey(this.#bucket, path, signal);
  }
}

/** SHA-256 of a key's bytes, 64 hex digits. Error: `file-missing`. */
export async function sha256OfKey(bucket: Bucket, key: string, signal: AbortSignal): Promise<string> {
  const hash = createHash('sha256');
  const { stream } = await openObject(bucket, key, { signal });
  for await (const chunk of stream) hash.update(chunk as Buffer);
  return hash.digest('hex');
}
