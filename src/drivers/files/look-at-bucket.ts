import { randomBytes } from 'node:crypto';
import { SkepError } from '../../errors.ts';
import type { Bucket } from '../../s3/bucket.ts';
import { readWhole } from '../../s3/read-object.ts';
import { keepsVersions } from './bucket-watch.ts';
import { UNDO_FOLDER } from './walk.ts';

/**
 * What may be done with a bucket of attachments: a backup lists and reads, a restore also writes, copies and deletes, which is
 * tried with a key of skep's own. Errors: `file-missing` (no bucket), `attachments-credentials`, `attachments-failed`.
 */
export async function lookAtBucket(bucket: Bucket): Promise<{ versioned: boolean; refused?: string }> {
  for await (const page of bucket.pages('')) {
    const first = page.find(({ size }) => size > 0);
    if (first !== undefined) await readWhole(bucket, first.key, { start: 0, end: 1 });
    break;
  }
  const versioned = await keepsVersions(bucket);
  const refused = await tryToWrite(bucket);
  return { versioned, ...(refused === undefined ? {} : { refused }) };
}

async function tryToWrite(bucket: Bucket): Promise<string | undefined> {
  const key = `${UNDO_FOLDER}/trial-${randomBytes(8).toString('hex')}`;
  const copied = `${key}-copied`;
  try {
    await bucket.put(key, Buffer.from('tried by skep'));
    await bucket.copy(key, copied);
    await bucket.remove(copied);
    await bucket.remove(key);
    return undefined;
  } catch (e) {
    if (!(e instanceof SkepError) || e.code !== 'attachments-credentials') throw e;
    return e.message;
  }
}
