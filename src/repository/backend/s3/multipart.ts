import type { CompletedPart } from '@aws-sdk/client-s3';
import { beginUpload as begin, endUpload, type Upload as AnyUpload } from '../../../s3/multipart.ts';
import { newToken, type S3Bucket, TOKEN } from './s3-bucket.ts';

/** A multipart upload under way, whose key will carry the token. */
export interface Upload extends AnyUpload {
  token: string;
}

export async function beginUpload(bucket: S3Bucket, key: string, signal?: AbortSignal): Promise<Upload> {
  const token = newToken();
  return { ...(await begin(bucket, key, { metadata: { [TOKEN]: token }, signal })), token };
}

/** Create-only unless it may overwrite. May be repeated. After `exists` the upload still is to be aborted. */
export async function completeUpload(
  bucket: S3Bucket,
  upload: Upload,
  parts: CompletedPart[],
  { overwrite, signal }: { overwrite?: boolean; signal?: AbortSignal },
): Promise<'created' | 'exists'> {
  try {
    await endUpload(bucket, upload, parts, {
      condition: overwrite === true ? {} : { IfNoneMatch: '*' },
      signal,
    });
    return 'created';
  } catch (error) {
    return bucket.isOurs(upload.key, upload.token, error, signal);
  }
}
