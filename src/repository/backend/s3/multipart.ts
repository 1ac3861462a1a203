import {
  AbortMultipartUploadCommand,
  type CompletedPart,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { SkepError } from '../../../errors.ts';
import { newToken, type S3Bucket, TOKEN } from './s3-bucket.ts';

/** A multipart upload under way. */
export interface Upload {
  key: string;
  id: string;
  token: string;
}

export async function beginUpload(bucket: S3Bucket, key: string, signal?: AbortSignal): Promise<Upload> {
  const token = newToken();
  const command = new CreateMultipartUploadCommand({ ...bucket.at(key), Metadata: { [TOKEN]: token } });
  const made = await bucket.call(`begin the upload of ${key}`, (o) => bucket.client.send(command, o), signal);
  return { key, id: made.UploadId as string, token };
}

/** May be repeated. */
export async function uploadPart(
  bucket: S3Bucket,
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

/** Create-only unless it may overwrite. May be repeated. After `exists` the upload still is to be aborted. */
export async function completeUpload(
  bucket: S3Bucket,
  upload: Upload,
  Parts: CompletedPart[],
  { overwrite, signal }: { overwrite?: boolean; signal?: AbortSignal },
): Promise<'created' | 'exists'> {
  const { key, id, token } = upload;
  const condition = overwrite === true ? {} : { IfNoneMatch: '*' };
  const input = { ...bucket.at(key), UploadId: id, ...condition, MultipartUpload: { Parts } };
  try {
    await bucket.call(
      `end the upload of ${key}`,
      (o) => bucket.client.send(new CompleteMultipartUploadCommand(input), o),
      signal,
    );
    return 'created';
  } catch (error) {
    return bucket.isOurs(key, token, error, signal);
  }
}

/** May be repeated; one that is not there is no failure. */
export async function abortUpload(bucket: S3Bucket, upload: Pick<Upload, 'key' | 'id'>): Promise<void> {
  const command = new AbortMultipartUploadCommand({ ...bucket.at(upload.key), UploadId: upload.id });
  try {
    await bucket.call(`abort the upload of ${upload.key}`, (o) => bucket.client.send(command, o));
  } catch (error) {
    if (!(error instanceof SkepError) || error.code !== 'object-missing') throw error;
  }
}
