import { randomBytes } from 'node:crypto';
import { SkepError } from '../../errors.ts';
import type { Bucket } from '../../s3/bucket.ts';
import { abortUpload, beginUpload } from '../../s3/multipart.ts';
import { readWhole } from '../../s3/read-object.ts';
import { keepsVersions } from './bucket-watch.ts';
import { UNDO_FOLDER } from './walk.ts';

/**
 * What may be done in a bucket of attachments. A backup lists and reads; whether one may write is asked without a trace, by an
 * upload that is begun and given up. With `change` all that a restore does is tried, with a key of skep's own. Errors:
 * `file-missing` (no bucket), `attachments-credentials` (what a backup needs is refused), `attachments-failed`.
 */
export async function lookAtBucket(bucket: Bucket, change: boolean): Promise<{ versioned: boolean; refused?: string }> {
  for await (const page of bucket.pages('')) {
    const first = page.find(({ size }) => size > 0);
    if (first !== undefined) await readWhole(bucket, first.key, { start: 0, end: 1 });
    break;
  }
  const versioned = await keepsVersions(bucket);
  const key = `${UNDO_FOLDER}/trial-${randomBytes(8).toString('hex')}`;
  const refused = await refusalOf(() => (change ? tryAll(bucket, key) : tryToBegin(bucket, key)));
  return { versioned, ...(refused === undefined ? {} : { refused }) };
}

async function tryToBegin(bucket: Bucket, key: string): Promise<void> {
  await abortUpload(bucket, await beginUpload(bucket, key));
}

async function tryAll(bucket: Bucket, key: string): Promise<void> {
  const copied = `${key}-copied`;
  await bucket.put(key, Buffer.from('tried by skep'));
  await bucket.copy(key, copied);
  await bucket.remove(copied);
  await bucket.remove(key);
}

async function refusalOf(attempt: () => Promise<void>): Promise<string | undefined> {
  try {
    await attempt();
    return undefined;
  } catch (e) {
    if (e instanceof SkepError && e.code === 'attachments-credentials') return e.message;
    throw e;
  }
}
