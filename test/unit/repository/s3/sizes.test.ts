import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { S3Bucket } from '../../../../src/repository/backend/s3/s3-bucket.ts';
import { sizesOf } from '../../../../src/repository/backend/s3/sizes.ts';

/** Counts what it is asked. Its listing may lack keys that are there. */
function bucketOf(sizes: ReadonlyMap<string, number>, unlisted: ReadonlySet<string> = new Set()) {
  const asked = { pages: 0, heads: 0 };
  const bucket = {
    async head(key: string) {
      asked.heads++;
      const size = sizes.get(key);
      return size === undefined ? undefined : { size };
    },
    async *pages(prefix: string, { after = '' }: { after?: string } = {}) {
      const keys = [...sizes.keys()].filter((k) => k.startsWith(prefix) && k > after && !unlisted.has(k)).sort();
      for (let at = 0; at === 0 || at < keys.length; at += 1000) {
        asked.pages++;
        yield keys.slice(at, at + 1000).map((key) => ({ key, size: sizes.get(key) }));
      }
    },
  };
  return { bucket: bucket as unknown as S3Bucket, asked };
}

function keyOf(i: number): string {
  const name = createHash('sha256').update(String(i)).digest('hex');
  return `objects/${name.slice(0, 2)}/${name}`;
}

const all = new Map(Array.from({ length: 5000 }, (_, i) => [keyOf(i), i]));
const absent = Array.from({ length: 50 }, (_, i) => keyOf(-1 - i));

describe('sizes of keys', () => {
  test.each([1, 64, 65, 500, 5000])('of %i keys and some that are absent are told in their order', async (count) => {
    const keys = [...all.keys()].slice(0, count).concat(absent);
    const { bucket } = bucketOf(all);
    expect(await sizesOf(bucket, keys)).toEqual(keys.map((key) => all.get(key)));
  });

  test('of a whole repository are listed', async () => {
    const { bucket, asked } = bucketOf(all);
    await sizesOf(bucket, [...all.keys()]);
    expect(asked).toEqual({ pages: 5, heads: 0 });
  });

  test('of few keys among many are asked for', async () => {
    const keys = [...all.keys()].slice(0, 100);
    const { bucket, asked } = bucketOf(all);
    await sizesOf(bucket, keys);
    expect(asked.pages).toBeLessThanOrEqual(1);
    expect(asked.heads).toBeLessThanOrEqual(100);
  });

  test('a listing that is late takes nothing for lost', async () => {
    const late = new Set([...all.keys()].slice(0, 30));
    const { bucket, asked } = bucketOf(all, late);
    const keys = [...all.keys()];
    expect(await sizesOf(bucket, keys)).toEqual(keys.map((key) => all.get(key)));
    expect(asked.heads).toBe(30);
  });

  test('of no keys are none', async () => {
    expect(await sizesOf(bucketOf(all).bucket, [])).toEqual([]);
  });
});
