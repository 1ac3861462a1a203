import {
  AbortMultipartUploadCommand,
  type CompletedPart,
  CompleteMultipartUploadCommand,
  type CompleteMultipartUploadCommandInput,
  CreateMultipartUploadCommand,
  ListMultipartUploadsCommand,
  type ListMultipartUploadsCommandInput,
  type ListMultipartUploadsCommandOutput,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { SkepError } from '../errors.ts';
import type { Bucket } from './bucket.ts';
import { isUnknownToStorage } from './errors.ts';

/** A multipart upload under way. */
export interface Upload {
  key: string;
  id: string;
}

export async function beginUpload(
  bucket: Bucket,
  key: string,
  o: { metadata?: Record<string, string>; signal?: AbortSignal | undefined } = {},
): Promise<Upload> {
  const command = new CreateMultipartUploadCommand({
    ...bucket.at(key),
    ...(o.metadata === undefined ? {} : { Metadata: o.metadata }),
  });
  const made = await bucket.call(`begin the upload of ${key}`, (r) => bucket.client.send(command, r), o.signal);
  return { key, id: made.UploadId as string };
}

/** May be repeated. */
export async function uploadPart(
  bucket: Bucket,
  upload: Upload,
  part: { number: number; body: Uint8Array },
  signal?: AbortSignal,
): Promise<CompletedPart> {
  const input = { ...bucket.at(upload.key), UploadId: upload.id, PartNumber: part.number, Body: part.body };
  const { ETag } = await bucket.call(
    `write part ${part.number} of ${upload.key}`,
    (o) => bucket.client.send(new UploadPartCommand(input), o),
    signal,
  );
  return { ETag, PartNumber: part.number };
}

/** The key is there when it resolves. */
export async function endUpload(
  bucket: Bucket,
  { key, id }: Upload,
  Parts: CompletedPart[],
  o: { condition?: Pick<CompleteMultipartUploadCommandInput, 'IfNoneMatch'>; signal?: AbortSignal | undefined } = {},
): Promise<void> {
  const input = { ...bucket.at(key), UploadId: id, ...o.condition, MultipartUpload: { Parts } };
  await bucket.call(
    `end the upload of ${key}`,
    (r) => bucket.client.send(new CompleteMultipartUploadCommand(input), r),
    o.signal,
  );
}

/** May be repeated; one that is not there is no failure. */
export async function abortUpload(bucket: Bucket, upload: Upload): Promise<void> {
  const command = new AbortMultipartUploadCommand({ ...bucket.at(upload.key), UploadId: upload.id });
  try {
    await bucket.call(`abort the upload of ${upload.key}`, (o) => bucket.client.send(command, o));
  } catch (error) {
    if (!bucket.isAbsent(error)) throw error;
  }
}

/** Uploads under way below a prefix, and when they were begun, in ms since 1970. A storage that does not tell has none. */
export async function* uploadsBelow(bucket: Bucket, prefix: string): AsyncGenerator<Upload & { begun: number }> {
  let from: Pick<ListMultipartUploadsCommandInput, 'KeyMarker' | 'UploadIdMarker'> | undefined = {};
  while (from !== undefined) {
    const page: ListMultipartUploadsCommandOutput = await pageOf(bucket, prefix, from);
    for (const { Key = '', UploadId: id = '', Initiated } of page.Uploads ?? []) {
      yield { key: bucket.keyOf(Key), id, begun: Initiated?.getTime() ?? Date.now() };
    }
    const { NextKeyMarker: KeyMarker, NextUploadIdMarker: UploadIdMarker } = page;
    if (page.IsTruncated === true && KeyMarker === from.KeyMarker && UploadIdMarker === from.UploadIdMarker) {
      throw bucket.endless('list uploads');
    }
    from = page.IsTruncated === true ? { KeyMarker, UploadIdMarker } : undefined;
  }
}

async function pageOf(bucket: Bucket, prefix: string, from: object): Promise<ListMultipartUploadsCommandOutput> {
  const { Bucket, Key: Prefix } = bucket.at(prefix);
  const command = new ListMultipartUploadsCommand({ Bucket, Prefix, ...from });
  try {
    return await bucket.call('list uploads', (o) => bucket.client.send(command, o));
  } catch (error) {
    if (error instanceof SkepError && isUnknownToStorage(error)) return { $metadata: {} };
    throw error;
  }
}
