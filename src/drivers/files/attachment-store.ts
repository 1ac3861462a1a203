import type { S3Access } from '../../s3/access.ts';
import { Bucket } from '../../s3/bucket.ts';
import { isS3Location } from '../../s3/location.ts';
import { FOR_ATTACHMENTS } from '../../s3/purpose.ts';
import { BucketStore } from './bucket-store.ts';
import { FolderStore } from './folder-store.ts';

/** Where TheHive keeps attachments: an absolute path, or `s3://bucket/prefix` with how that is reached. */
export interface AttachmentPlace {
  location: string;
  s3?: S3Access | undefined;
}

/** What is told of a file beside its content. */
export interface FileState {
  size: number;
  mtimeMs: number;
  /** Absent on an object storage. */
  mode?: number;
}

/** Attachments as they are now. Paths are relative to the place, with `/`; skep's own files are not among them. */
export interface AttachmentStore {
  /** True where a file is there before it is whole. */
  readonly inPlace: boolean;
  paths(signal: AbortSignal): AsyncIterable<string>;
  /** Undefined when it is not there. */
  stateOf(path: string): Promise<FileState | undefined>;
  /** The hash of the content in hex digits; `algorithm` as `node:crypto` calls it. */
  hashOf(path: string, algorithm: string, signal: AbortSignal): Promise<string>;
}

export function openAttachments(place: AttachmentPlace): AttachmentStore {
  return isS3Location(place.location) ? new BucketStore(openBucket(place)) : new FolderStore(place.location);
}

/** The bucket of a place on an object storage. */
export function openBucket({ location, s3 }: AttachmentPlace): Bucket {
  // What the SDK finds on this node, when the configuration says nothing.
  return new Bucket(location, s3 ?? { region: 'us-east-1', pathStyle: false }, FOR_ATTACHMENTS);
}
