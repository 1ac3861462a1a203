import { DeleteObjectCommand, ListObjectVersionsCommand } from '@aws-sdk/client-s3';
import { createHash, randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import type { S3Server } from '../../lab/index.ts';
import { AttachmentCapture } from '../../src/agent/attachment-capture.ts';
import { layOutObjects } from '../../src/agent/lay-out-objects.ts';
import { Session } from '../../src/agent/session.ts';
import { type AttachmentPlace, openBucket } from '../../src/drivers/files/attachment-store.ts';
import { lookAtBucket } from '../../src/drivers/files/look-at-bucket.ts';
import type { ListingRef } from '../../src/protocol/methods.ts';
import { initRepository, newBackupId, type Repository } from '../../src/repository/index.ts';
import type { Bucket } from '../../src/s3/bucket.ts';
import { readWhole } from '../../src/s3/read-object.ts';
import { temporaryFolder } from '../unit/support/folder.ts';
import { accessOf, bootS3, uploadsUnderWay } from './support/s3.ts';

/** Longer than any test: what is polled for is looked at by `finish` alone. */
const NO_POLL_MS = 3_600_000;
const LARGE = 40 << 20;

let server: S3Server;
beforeAll(async () => {
  server = await bootS3();
  await server.makeBucket('plain');
  // Object lock makes it keep versions.
  await server.makeBucket('versioned', { objectLock: true });
}, 600_000);
afterAll(() => server?.down());
afterEach(() => void vi.restoreAllMocks());

const nameOf = (content: string | Buffer) => `attachment/${createHash('sha256').update(content).digest('hex')}`;

let repository: Repository;
beforeEach(async () => {
  const root = await temporaryFolder();
  vi.stubEnv('XDG_CACHE_HOME', join(root, 'cache'));
  onTestFinished(() => void vi.unstubAllEnvs());
  repository = await initRepository(join(root, 'repository'), { clusterName: 'prod', clusterId: 'c' });
});

/** A new prefix of a bucket, as TheHive has it. */
async function scene(bucketName: string) {
  const s3 = await accessOf(server);
  const prefix = randomBytes(4).toString('hex');
  const place: AttachmentPlace = { location: `s3://${bucketName}/${prefix}`, s3 };
  const bucket = openBucket(place);
  const add = async (...contents: (string | Buffer)[]) => {
    for (const c of contents) await bucket.put(nameOf(c), Buffer.from(c));
  };
  const remove = (content: string) => bucket.remove(nameOf(content));
  return { place, bucket, add, remove, uploads: () => uploadsUnderWay(s3, bucketName, `${prefix}/`) };
}

async function capture(place: AttachmentPlace, o: { pollMs?: number; previous?: ListingRef } = {}) {
  const session = new Session();
  const run = newBackupId();
  const store = await session.openStore({ repository: { location: repository.location }, run, writer: 'n1-files' });
  const c = new AttachmentCapture(store, place, run, o.previous);
  onTestFinished(() => c.stop());
  const { signal } = new AbortController();
  return {
    start: () => c.start(o.pollMs ?? NO_POLL_MS, () => undefined, signal),
    finish: async () => {
      const done = await c.finish(signal);
      await c.close(session);
      return done;
    },
    seen: (n: number) => vi.waitFor(() => expect(c.progress().files).toBe(n), { timeout: 20_000, interval: 5 }),
  };
}

async function listed(root: string): Promise<string[]> {
  const paths = [];
  for await (const e of repository.readListing({ root })) paths.push(e.path);
  return paths;
}

async function keys(bucket: Bucket): Promise<string[]> {
  const all = [];
  for await (const page of bucket.pages('')) all.push(...page.map(({ key }) => key));
  return all;
}

const sorted = (...contents: (string | Buffer)[]) => contents.map(nameOf).sort();

describe('the capture of attachments in a bucket', () => {
  test('holds all of pass 1 and of pass 2; objects of any size, and nothing of skep', async () => {
    const large = randomBytes(LARGE);
    const s = await scene('plain');
    await s.add('one', 'two', '', large);
    await s.bucket.put('.skep-undo/run/attachment/x', Buffer.from('set aside'));
    await s.bucket.put('attachment/', Buffer.alloc(0));
    const c = await capture(s.place);
    expect(await c.start()).toEqual({ files: 4 });
    await s.add('late');
    const done = await c.finish();
    expect(done).toMatchObject({ mismatched: [], lost: [], pinned: 0, newObjects: 5, listing: { files: 5 } });
    expect(await listed(done.listing.root)).toEqual(sorted('one', 'two', '', large, 'late'));
    for await (const e of repository.readListing(done.listing)) {
      const chunks = [];
      for await (const chunk of await repository.readObject(e.object!)) chunks.push(chunk as Buffer);
      expect(nameOf(Buffer.concat(chunks))).toBe(e.path);
    }
  });

  test('polls a bucket without versions, and tells what was gone before it was read', async () => {
    const s = await scene('plain');
    await s.add('one');
    const c = await capture(s.place, { pollMs: 10 });
    await c.start();
    await s.add('between');
    await c.seen(2);
    await s.remove('between');
    const reading = vi.spyOn(classOf(s.bucket), 'open').mockImplementationOnce(async function (this: Bucket, key) {
      await this.remove(key);
      return this.open(key);
    });
    await s.add('gone');
    await vi.waitFor(() => expect(reading).toHaveBeenCalled(), { timeout: 20_000 });
    const done = await c.finish();
    expect(done.lost).toEqual([{ path: nameOf('gone'), agoMs: expect.any(Number) as number }]);
    expect(await listed(done.listing.root)).toEqual(sorted('one', 'between'));
  });

  test('finds in a bucket with versions also what was made and deleted between the passes', async () => {
    const s = await scene('versioned');
    await s.add('one', 'two');
    const c = await capture(s.place);
    await c.start();
    await s.add('between', 'three');
    await s.remove('between');
    await s.remove('one');
    const done = await c.finish();
    expect(done).toMatchObject({ mismatched: [], lost: [] });
    expect(await listed(done.listing.root)).toEqual(sorted('one', 'two', 'between', 'three'));
  });

  test('tells what was deleted in a bucket with versions and has none any more', async () => {
    const s = await scene('versioned');
    await s.add('one');
    const c = await capture(s.place);
    await c.start();
    await s.add('purged', 'read too late');
    await s.remove('purged');
    await removeVersions(s.bucket, nameOf('purged'));
    const opening = classOf(s.bucket).open;
    vi.spyOn(classOf(s.bucket), 'open').mockImplementation(async function (this: Bucket, key, ...more) {
      if (key === nameOf('read too late')) await removeVersions(this, key);
      return opening.call(this, key, ...more);
    });
    const done = await c.finish();
    expect(done.lost.map(({ path }) => path).sort()).toEqual(sorted('purged', 'read too late'));
    expect(await listed(done.listing.root)).toEqual(sorted('one'));
  });

  test('reads an object to its end that is deleted meanwhile, where the bucket keeps versions', async () => {
    const s = await scene('versioned');
    const large = randomBytes(LARGE);
    await s.add(large);
    const opening = classOf(s.bucket).open;
    const ranges: unknown[] = [];
    vi.spyOn(classOf(s.bucket), 'open').mockImplementation(async function (this: Bucket, key, o, signal) {
      const found = await opening.call(this, key, o, signal);
      ranges.push(o?.range);
      if (ranges.length > 1) return found;
      await this.remove(key);
      found?.Body.once('data', () => found.Body.destroy(Object.assign(new Error('cut'), { code: 'ECONNRESET' })));
      return found;
    });
    const c = await capture(s.place);
    await c.start();
    expect(ranges.length).toBeGreaterThan(1);
    const done = await c.finish();
    expect(done).toMatchObject({ lost: [], mismatched: [], listing: { files: 1, bytes: LARGE } });
  });

  test('is not hindered by the mark of a folder, and names a key that no folder could have', async () => {
    const s = await scene('plain');
    await s.bucket.put('', Buffer.alloc(0));
    await s.add('one');
    const c = await capture(s.place);
    expect(await c.start()).toEqual({ files: 1 });
    await c.finish();
    vi.spyOn(classOf(s.bucket), 'pages').mockImplementation(async function* () {
      yield [{ key: 'attachment//x', size: 1 }];
    });
    const odd = await capture(s.place);
    await expect(odd.start()).rejects.toMatchObject({ code: 'file-unreadable', context: { key: 'attachment//x' } });
  });

  test('does not read again what the previous listing has', async () => {
    const s = await scene('plain');
    await s.add('one', 'two');
    const first = await capture(s.place);
    await first.start();
    const { listing: previous } = await first.finish();
    await s.add('three');
    await s.remove('one');
    const reading = vi.spyOn(classOf(s.bucket), 'open');
    const second = await capture(s.place, { previous });
    await second.start();
    const done = await second.finish();
    expect(reading.mock.calls.map(([key]) => key)).toEqual([nameOf('three')]);
    expect(await listed(done.listing.root)).toEqual(sorted('two', 'three'));
  });

  test('keeps what is not what its name promises, and tells it', async () => {
    const s = await scene('plain');
    await s.bucket.put(nameOf('promised'), Buffer.from('something else'));
    const c = await capture(s.place);
    await c.start();
    expect(await c.finish()).toMatchObject({ mismatched: [nameOf('promised')], listing: { files: 1 } });
  });

  test('of a bucket that is not there, or with another key, is a typed error', async () => {
    const s = await scene('plain');
    const absent = await capture({ ...s.place, location: 's3://no-such-bucket' });
    await expect(absent.start()).rejects.toMatchObject({ code: 'file-missing' });
    const credentials = { accessKeyId: 'other', secretAccessKey: 'key' };
    const refused = await capture({ ...s.place, s3: { ...s.place.s3!, credentials } });
    await expect(refused.start()).rejects.toMatchObject({ code: 'attachments-credentials' });
  });
});

describe('a bucket into which a backup is laid out', () => {
  test('holds the backup and nothing else; what was there otherwise is set aside, and a repetition changes nothing', async () => {
    const large = randomBytes(LARGE);
    const s = await scene('plain');
    await s.add('one', 'two', large);
    const c = await capture(s.place);
    await c.start();
    const { listing } = await c.finish();

    await s.remove('two');
    await s.bucket.remove(nameOf(large));
    await s.bucket.put(nameOf('one'), Buffer.from('eno'));
    await s.add('after T');
    const o = { signal: new AbortController().signal, progress: () => undefined };
    const to = { bucket: s.bucket, aside: '.skep-undo/run' };
    expect(await layOutObjects(repository, listing.root, to, o)).toMatchObject({ files: 3, reused: 0, moved: 2 });
    const aside = sorted('one', 'after T').map((path) => `.skep-undo/run/${path}`);
    expect(await keys(s.bucket)).toEqual([...aside, ...sorted('one', 'two', large)]);
    expect(nameOf(await readWhole(s.bucket, nameOf(large)))).toBe(nameOf(large));
    expect(String(await readWhole(s.bucket, nameOf('one')))).toBe('one');
    expect(String(await readWhole(s.bucket, `.skep-undo/run/${nameOf('one')}`))).toBe('eno');
    expect(await s.uploads()).toEqual([]);

    expect(await layOutObjects(repository, listing.root, to, o)).toMatchObject({ files: 3, reused: 3, moved: 0 });
    await s.bucket.put(nameOf('one'), Buffer.from('neo'));
    await layOutObjects(repository, listing.root, to, o);
    expect(String(await readWhole(s.bucket, `.skep-undo/run/${nameOf('one')}`))).toBe('eno');
    expect(String(await readWhole(s.bucket, `.skep-undo/run/${nameOf('one')}.2`))).toBe('neo');
  });

  test('that is the listing’s in part keeps an object whose stored content is damaged as it was', async () => {
    const large = randomBytes(LARGE);
    const s = await scene('plain');
    await s.add(large);
    const c = await capture(s.place);
    await c.start();
    const { listing } = await c.finish();
    await s.bucket.put(nameOf(large), Buffer.from('before'));
    vi.spyOn(repository, 'readObject').mockImplementation(async () => {
      const { Readable } = await import('node:stream');
      return Readable.from(
        (async function* () {
          yield large.subarray(0, LARGE / 2);
          throw Object.assign(new Error('damaged'), { code: 'object-damaged' });
        })(),
        { objectMode: false },
      );
    });
    const o = { signal: new AbortController().signal, progress: () => undefined };
    const to = { bucket: s.bucket, aside: '.skep-undo/run' };
    await expect(layOutObjects(repository, listing.root, to, o)).rejects.toThrow('damaged');
    expect(String(await readWhole(s.bucket, nameOf(large)))).toBe('before');
    expect(await s.uploads()).toEqual([]);
  });
});

test('a look at a bucket tells whether it keeps versions, and leaves nothing behind', async () => {
  for (const name of ['plain', 'versioned']) {
    const s = await scene(name);
    await s.add('one');
    for (const change of [false, true]) {
      expect(await lookAtBucket(s.bucket, { change, signal: new AbortController().signal })).toEqual({
        versioned: name === 'versioned',
      });
    }
    expect(await keys(s.bucket)).toEqual(sorted('one'));
    expect(await s.uploads()).toEqual([]);
  }
});

/** For good, as a rule of the bucket does it; marks of deletion stay. */
async function removeVersions(bucket: Bucket, key: string): Promise<void> {
  const at = bucket.at(key);
  const { Versions = [] } = await bucket.client.send(
    new ListObjectVersionsCommand({ Bucket: at.Bucket, Prefix: at.Key }),
  );
  for (const { VersionId } of Versions) await bucket.client.send(new DeleteObjectCommand({ ...at, VersionId }));
}

/** What all buckets have in common: a capture opens its own. */
function classOf(bucket: Bucket): Bucket {
  return Object.getPrototypeOf(bucket) as Bucket;
}
