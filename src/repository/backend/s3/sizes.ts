import type { StoredKey } from '../backend.ts';
import type { S3Bucket } from './s3-bucket.ts';

/** So many keys are asked for one by one, all at once. */
const SLAB = 256;
/** A page of a listing (up to 1,000 keys) costs about as much as so many questions. */
const WORTH_A_PAGE = 64;

/**
 * Sizes in the order of the keys. Where many are wanted the keys are listed as long as that tells more than asking for
 * each; what a listing lacks is asked for, so that a listing that is late takes nothing for lost.
 */
export async function sizesOf(bucket: S3Bucket, keys: readonly string[]): Promise<(number | undefined)[]> {
  const found = new Map<string, number>();
  const sorted = [...new Set(keys)].sort();
  const unknown = sorted.length <= WORTH_A_PAGE ? sorted : await list(bucket, sorted, found);
  for (let from = 0; from < unknown.length; from += SLAB) await ask(bucket, unknown.slice(from, from + SLAB), found);
  return keys.map((key) => found.get(key));
}

/** Lists through the sorted keys; gives those that it did not find, or did not look for. */
async function list(bucket: S3Bucket, sorted: readonly string[], found: Map<string, number>): Promise<string[]> {
  const prefix = commonFolder(sorted);
  const unknown: string[] = [];
  for (let at = 0; at < sorted.length;) {
    const first = sorted[at] as string;
    const page = await nextPage(bucket, prefix, first);
    for (const { key, size } of page) found.set(key, size);
    const last = page.at(-1)?.key;
    const from = at;
    while (at < sorted.length && (last === undefined || (sorted[at] as string) <= last)) at++;
    // The last page ends before the keys that are not there.
    if (at === from) at = sorted.length;
    // Wide apart: some are asked for before a page is tried again.
    if (at - from < WORTH_A_PAGE) at = Math.min(sorted.length, at + SLAB);
    unknown.push(...sorted.slice(from, at).filter((key) => !found.has(key)));
  }
  return unknown;
}

/** The keys from `first` on. */
async function nextPage(bucket: S3Bucket, prefix: string, first: string): Promise<StoredKey[]> {
  for await (const page of bucket.pages(prefix, { after: first.slice(0, -1) })) return page;
  return [];
}

async function ask(bucket: S3Bucket, keys: readonly string[], found: Map<string, number>): Promise<void> {
  const heads = await Promise.all(keys.map((key) => bucket.head(key)));
  heads.forEach((head, i) => head !== undefined && found.set(keys[i] as string, head.size));
}

/** The longest folder that all of the sorted keys are in, with its `/`. */
function commonFolder(sorted: readonly string[]): string {
  const [first = '', last = ''] = [sorted[0], sorted.at(-1)];
  let length = 0;
  while (length < first.length && first[length] === last[length]) length++;
  return first.slice(0, first.lastIndexOf('/', length - 1) + 1);
}
