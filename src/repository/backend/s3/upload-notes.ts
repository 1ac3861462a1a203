import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import { SkepError } from '../../../errors.ts';
import { abortUpload, type Upload } from '../../../s3/multipart.ts';
import type { Deleter } from './delete-keys.ts';
import { readWhole } from '../../../s3/read-object.ts';
import type { S3Bucket } from './s3-bucket.ts';

const SUFFIX = '.upload';
const noteSchema = z.object({ key: z.string(), id: z.string() });

/**
 * Says in the run's own place that an upload is under way: its parts are kept, and paid for, until somebody ends it, and
 * the storage does not tell whose they are. Gives what removes the note.
 */
export async function noteUpload(
  bucket: S3Bucket,
  deleter: Deleter,
  prefix: string,
  { key, id }: Upload,
): Promise<() => Promise<void>> {
  const note = `${prefix}${randomBytes(8).toString('hex')}${SUFFIX}`;
  await bucket.create(note, Buffer.from(JSON.stringify({ key, id })));
  return () => deleter.deleteKeys([note]);
}

/** Aborts the uploads that are noted below a prefix; of a dead run there may be some. May be repeated. */
export async function abortNoted(bucket: S3Bucket, prefix: string): Promise<void> {
  for await (const upload of notedUploads(bucket, prefix)) await abortUpload(bucket, upload);
}

/** What the notes below a prefix say. */
export async function* notedUploads(bucket: S3Bucket, prefix: string): AsyncGenerator<Upload> {
  for await (const page of bucket.pages(prefix)) {
    for (const { key } of page.filter((stored) => stored.key.endsWith(SUFFIX))) {
      const note = await read(bucket, key);
      if (note !== undefined) yield note;
    }
  }
}

/** Undefined for one that was removed meanwhile, and for one that is damaged: its upload is found by its age. */
async function read(bucket: S3Bucket, key: string): Promise<z.output<typeof noteSchema> | undefined> {
  let bytes: Buffer;
  try {
    bytes = await readWhole(bucket, key);
  } catch (error) {
    if (error instanceof SkepError && error.code === 'object-missing') return undefined;
    throw error;
  }
  try {
    return noteSchema.safeParse(JSON.parse(bytes.toString('utf8'))).data;
  } catch {
    return undefined;
  }
}
