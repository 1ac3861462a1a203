import { hash, randomBytes } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { S3Server } from '../../lab/index.ts';
import { SkepError } from '../../src/errors.ts';
import type { ContentSource } from '../../src/repository/backend/backend.ts';
import type { S3Batch } from '../../src/repository/backend/s3/s3-batch.ts';
import type { S3Backend } from '../../src/repository/backend/s3/s3-backend.ts';
import { bootS3, s3UnderTest } from './support/s3.ts';

const KEY = 'objects/aa/1';
const SIZE = 20_000_000;

let server: S3Server;
let backend: S3Backend;
beforeAll(async () => {
  server = await bootS3();
  await server.makeBucket('plain');
}, 600_000);
afterAll(() => server?.down());
beforeEach(async () => {
  ({ backend } = await s3UnderTest(server, 'plain'));
});

/** A source that reads what `attempt` gives for each attempt to send it, the first being 1. */
function sourceOf(content: Buffer, attempt: (n: number) => Buffer = () => content) {
  const seen = { attempts: 0, closed: 0 };
  const source: ContentSource = {
    path: '/a/file',
    size: content.length,
    sha256: hash('sha256', content),
    async read(into, position) {
      if (position === 0) seen.attempts++;
      return attempt(seen.attempts).copy(into, 0, position);
    },
    close: () => void seen.closed++,
  };
  return { source, seen };
}

/** Sends it as a writer does; gives the keys that others had. */
async function publish(source: ContentSource, policy: 'fail' | 'renew' = 'fail'): Promise<string[]> {
  const batch = backend.openBatch('incoming/r/w/') as S3Batch;
  try {
    const staged = await batch.stageSource(source);
    if (staged === undefined) return ['not staged'];
    batch.add(staged, KEY, policy);
    return [...(await batch.flush())];
  } finally {
    await batch.close();
  }
}

describe('a content that goes to its key straight from its file', () => {
  test.each([0, 1, 300_000, SIZE])('is there, whole, and its file is closed: %i bytes', async (size) => {
    const content = randomBytes(size);
    const { source, seen } = sourceOf(content);
    expect(await publish(source)).toEqual([]);
    expect((await backend.get(KEY)).equals(content)).toBe(true);
    expect(seen.closed).toBe(1);
  });

  test('is told when it was there, and replaces what is damaged', async () => {
    const [damaged, content] = [randomBytes(SIZE), randomBytes(SIZE)];
    await backend.put(KEY, damaged);
    expect(await publish(sourceOf(content).source)).toEqual([KEY]);
    expect((await backend.get(KEY)).equals(damaged)).toBe(true);
    expect(await publish(sourceOf(content).source, 'renew')).toEqual([]);
    expect((await backend.get(KEY)).equals(content)).toBe(true);
  });

  test.each([
    ['is other bytes', (content: Buffer) => Buffer.from(content).fill(0, SIZE - 1)],
    ['is cut', (content: Buffer) => content.subarray(0, SIZE / 2)],
  ])('is not kept while it %s, and sent again until it is what was read', async (_, change) => {
    const content = randomBytes(SIZE);
    const { source, seen } = sourceOf(content, (n) => (n < 3 ? change(content) : content));
    expect(await publish(source)).toEqual([]);
    expect(seen).toEqual({ attempts: 3, closed: 1 });
    expect((await backend.get(KEY)).equals(content)).toBe(true);
  });

  test('that cannot be read fails at once, with the file', async () => {
    const { source, seen } = sourceOf(randomBytes(SIZE));
    const failure = new SkepError('file-unreadable', 'cannot read /a/file: EIO');
    source.read = async (into, position) => {
      if (position > SIZE / 2) throw failure;
      return randomBytes(into.length).copy(into);
    };
    await expect(publish(source)).rejects.toBe(failure);
    expect(seen.closed).toBe(1);
    expect(await backend.sizes([KEY])).toEqual([undefined]);
  });

  test('that is too large for one request is to be staged otherwise', async () => {
    const { source, seen } = sourceOf(Buffer.alloc(0));
    expect(await publish({ ...source, size: 600 << 20 })).toEqual(['not staged']);
    expect(seen.closed).toBe(1);
  });

  test('waits while enough are on their way, and is not sent when the batch ends', async () => {
    const batch = backend.openBatch('incoming/r/w/') as S3Batch;
    const all = Array.from({ length: 8 }, () => sourceOf(randomBytes(SIZE)));
    let staged = 0;
    const waiting = all.map(async ({ source }) => {
      await batch.stageSource(source);
      staged++;
    });
    await Promise.all(waiting.slice(0, 4));
    expect(staged).toBe(4);
    await batch.close();
    expect(all.slice(0, 4).map(({ seen }) => seen)).toEqual(
      Array.from({ length: 4 }, () => ({ attempts: 0, closed: 1 })),
    );
  });
});
