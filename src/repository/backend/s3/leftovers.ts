import {
  ListMultipartUploadsCommand,
  type ListMultipartUploadsCommandInput,
  type ListMultipartUploadsCommandOutput,
} from '@aws-sdk/client-s3';
import { SkepError } from '../../../errors.ts';
import { abortUpload, type Upload } from './multipart.ts';
import { isUnknownToStorage } from '../../../s3/errors.ts';
import type { S3Bucket } from './s3-bucket.ts';
import { notedUploads } from './upload-notes.ts';

/**
 * An upload is noted as soon as it was begun: one that is not after so long belongs to a process that was killed between the
 * two. This machine's clock will do: a storage refuses who is wrong by a quarter of an hour.
 */
const OLD_MS = 86_400_000;

/** Aborts the uploads that nobody knows of; gives how many. A storage that does not tell which there are has none. */
export async function abortForgotten(bucket: S3Bucket): Promise<number> {
  const old: Pick<Upload, 'key' | 'id'>[] = [];
  for await (const { key, id, begun } of uploads(bucket)) if (Date.now() - begun > OLD_MS) old.push({ key, id });
  if (old.length === 0) return 0;
  const noted = new Set<string>();
  for await (const { id } of notedUploads(bucket, 'incoming/')) noted.add(id);
  const forgotten = old.filter(({ id }) => !noted.has(id));
  for (const upload of forgotten) await abortUpload(bucket, upload);
  return forgotten.length;
}

interface Begun extends Pick<Upload, 'key' | 'id'> {
  /** ms since 1970. */
  begun: number;
}

async function* uploads(bucket: S3Bucket): AsyncGenerator<Begun> {
  let from: Pick<ListMultipartUploadsCommandInput, 'KeyMarker' | 'UploadIdMarker'> | undefined = {};
  while (from !== undefined) {
    const page: ListMultipartUploadsCommandOutput = await pageOf(bucket, from);
    for (const { Key = '', UploadId: id = '', Initiated } of page.Uploads ?? []) {
      yield { key: bucket.keyOf(Key), id, begun: Initiated?.getTime() ?? Date.now() };
    }
    const { NextKeyMarker: KeyMarker, NextUploadIdMarker: UploadIdMarker } = page;
    from = page.IsTruncated === true ? { KeyMarker, UploadIdMarker } : undefined;
  }
}

async function pageOf(bucket: S3Bucket, from: object): Promise<ListMultipartUploadsCommandOutput> {
  const { Bucket, Key: Prefix } = bucket.at('');
  const command = new ListMultipartUploadsCommand({ Bucket, Prefix, ...from });
  try {
    return await bucket.call('list uploads', (o) => bucket.client.send(command, o));
  } catch (error) {
    if (error instanceof SkepError && isUnknownToStorage(error)) return { $metadata: {} };
    throw error;
  }
}
