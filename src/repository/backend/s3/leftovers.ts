import { abortUpload, type Upload, uploadsBelow } from '../../../s3/multipart.ts';
import type { S3Bucket } from './s3-bucket.ts';
import { notedUploads } from './upload-notes.ts';

/**
 * An upload is noted as soon as it was begun: one that is not after so long belongs to a process that was killed between the
 * two. This machine's clock will do: a storage refuses who is wrong by a quarter of an hour.
 */
const OLD_MS = 86_400_000;

/** Aborts the uploads that nobody knows of; gives how many. A storage that does not tell which there are has none. */
export async function abortForgotten(bucket: S3Bucket): Promise<number> {
  const old: Upload[] = [];
  for await (const { key, id, begun } of uploadsBelow(bucket, ''))
    if (Date.now() - begun > OLD_MS) old.push({ key, id });
  if (old.length === 0) return 0;
  const noted = new Set<string>();
  for await (const { id } of notedUploads(bucket, 'incoming/')) noted.add(id);
  const forgotten = old.filter(({ id }) => !noted.has(id));
  for (const upload of forgotten) await abortUpload(bucket, upload);
  return forgotten.length;
}
