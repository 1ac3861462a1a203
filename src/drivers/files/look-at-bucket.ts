import { randomBytes } from 'node:crypto';
import { SkepError } from '../../errors.ts';
import type { Bucket } from '../../s3/bucket.ts';
import { abortUpload, beginUpload } from '../../s3/multipart.ts';
import { openObject } from '../../s3/read-object.ts';
import { keepsVersions, versionPages } from './bucket-watch.ts';
import { UNDO_FOLDER } from './walk.ts';

/**
 * What may be done in a bucket of attachments. A backup lists and reads; whether one may write is asked without a trace, by an
 * upload that is begun and given up. With `change` all that a restore does is tried, with a key of skep's own. Errors:
 * `file-missing` (no bucket), `attachments-credentials` (what a backup needs is refused), `attachments-failed`.
 */
export async function lookAtBucket(
  bucket: Bucket,
  { change, signal }: { change: boolean; signal: AbortSignal },
): Promise<{ versioned: boolean; refused?: string }> {
  for await (const page of bucket.pages('', { signal })) {
    const first = page.find(({ size }) => size > 0);
    if (first !== undefined) await readByte(bucket, first.key, undefined, signal);
    break;
  }
  const versioned = await keepsVersions(bucket, signal);
  if (versioned) await tryVersions(bucket, signal);
  const key = `${UNDO_FOLDER}/trial-${randomBytes(8).toString('hex')}`;
  const refused = await refusalOf(() => (change ? tryAll(bucket, key, signal) : tryToBegin(bucket, key, signal)));
  return { versioned, ...(refused === undefined ? {} : { refused }) };
}

/** What the last look of a backup needs. */
async function tryVersions(bucket: Bucket, signal: AbortSignal): Promise<void> {
  for await (const { Versions = [] } of versionPages(bucket, signal)) {
    const first = Versions.find(({ Size = 0 }) => Size > 0);
    if (first?.Key !== undefined) await readByte(bucket, bucket.keyOf(first.Key), first.VersionId, signal);
    return;
  }
}

async function readByte(bucket: Bucket, key: string, version: string | undefined, signal: AbortSignal): Promise<void> {
  const { stream } = await openObject(bucket, key, { range: { start: 0, end: 1 }, version, signal });
  stream.destroy();
}

async function tryToBegin(bucket: Bucket, key: string, signal: AbortSignal): Promise<void> {
  await abortUpload(bucket, await beginUpload(bucket, key, { signal }));
}

async function tryAll(bucket: Bucket, key: string, signal: AbortSignal): Promise<void> {
  const copied = `${key}-copied`;
  await bucket.put(key, Buffer.from('tried by skep'), signal);
  await bucket.copy(key, copied, signal);
  await bucket.remove(copied, signal);
  await bucket.remove(key, signal);
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
