import { createHash } from 'node:crypto';
import { mkdir, open, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { setTimeout as delay } from 'node:timers/promises';
import { AttachmentCapture } from '../../../src/agent/attachment-capture.ts';
import { Session } from '../../../src/agent/session.ts';
import { KnownFolders } from '../../../src/drivers/files/known-folders.ts';
import type { Progress } from '../../../src/protocol/methods.ts';
import {
  initRepository,
  type ListingEntry,
  type ListingRef,
  newBackupId,
  type Repository,
} from '../../../src/repository/index.ts';
import { PathBackend } from '../../../src/repository/backend/path/path-backend.ts';
import { takeMarks } from '../../../src/repository/folder-marks.ts';
import { temporaryFolder } from '../support/folder.ts';

const POLL_MS = 10;
const hashOf = (text: string) => createHash('sha256').update(text).digest('hex');

async function scene() {
  const root = await temporaryFolder();
  const location = join(root, 'files');
  await mkdir(join(location, 'attachment'), { recursive: true });
  const repository = await initRepository(join(root, 'repository'), { clusterName: 'prod', clusterId: 'c' });
  vi.stubEnv('XDG_CACHE_HOME', join(root, 'cache'));
  onTestFinished(() => void vi.unstubAllEnvs());
  return { location, repository, at: (name: string) => join(location, 'attachment', name) };
}

async function capture(s: Awaited<ReturnType<typeof scene>>, previous?: ListingRef) {
  const session = new Session();
  const run = newBackupId();
  const store = await session.openStore({ repository: { location: s.repository.location }, run, writer: 'n1-files' });
  const c = new AttachmentCapture(store, { location: s.location }, run, previous);
  onTestFinished(() => c.stop());
  const stop = new AbortController();
  const progress: Progress[] = [];
  return {
    run,
    stop,
    progress,
    start: () => c.start(POLL_MS, (p) => progress.push(p), stop.signal),
    finish: () => c.finish(stop.signal),
    close: () => c.close(session),
    seen: (n: number) => vi.waitFor(() => expect(c.progress().files).toBe(n), { timeout: 10_000, interval: 5 }),
  };
}

async function stored(repository: Repository, root: string): Promise<Record<string, string>> {
  const out: Record<string, string> = {};
  for await (const e of repository.readListing({ root }) as AsyncIterable<ListingEntry & { object: string }>) {
    const chunks: Buffer[] = [];
    for await (const c of await repository.readObject(e.object)) chunks.push(c as Buffer);
    out[e.path] = Buffer.concat(chunks).toString('utf8');
  }
  return out;
}

describe('the capture of attachments', () => {
  test('holds all of pass 1, of the time until pass 2, and of pass 2, deleted or not', async () => {
    const s = await scene();
    for (const text of ['one', 'two']) await writeFile(s.at(hashOf(text)), text);
    const c = await capture(s);
    expect(await c.start()).toEqual({ files: 2 });
    expect(c.progress.at(-1)).toEqual({ files: 2, bytes: 6, totalFiles: 2 });
    await writeFile(s.at(hashOf('between')), 'between');
    await c.seen(3);
    await rm(s.at(hashOf('between')));
    await rm(s.at(hashOf('one')));
    await writeFile(s.at(hashOf('late')), 'late');
    const done = await c.finish();
    expect(done).toMatchObject({ mismatched: [], newObjects: 4, pinned: 4, listing: { files: 4 } });
    await c.close();
    const all = Object.fromEntries(['one', 'two', 'between', 'late'].map((t) => [`attachment/${hashOf(t)}`, t]));
    expect(await stored(s.repository, done.listing.root)).toEqual(all);
    expect(await readdir(s.location)).toEqual(['attachment']);
    const staged = await readdir(join(s.repository.location, 'incoming'), { recursive: true, withFileTypes: true });
    expect(staged.filter((e) => e.isFile())).toEqual([]);
  });

  test('does not read again what is stored, but lists it', async () => {
    const s = await scene();
    await writeFile(s.at(hashOf('one')), 'one');
    for (const expected of [
      { newObjects: 1, pinned: 1 },
      { newObjects: 0, pinned: 0 },
    ]) {
      const c = await capture(s);
      await c.start();
      expect(await c.finish()).toMatchObject({ ...expected, listing: { files: 1, bytes: 3 } });
      await c.close();
    }
  });

  test('reads a half-written file again until its content is what its name promises', async () => {
    const s = await scene();
    const text = 'first half, second half';
    await writeFile(s.at(hashOf(text)), text.slice(0, 10));
    const c = await capture(s);
    const starting = c.start();
    setTimeout(() => void writeFile(s.at(hashOf(text)), text), 150);
    await starting;
    const done = await c.finish();
    expect(done.mismatched).toEqual([]);
    expect(await stored(s.repository, done.listing.root)).toEqual({ [`attachment/${hashOf(text)}`]: text });
  });

  test('waits in pass 2 for the end of a file that it finds half-written there', async () => {
    const s = await scene();
    const text = 'begun right before pass 2, ended in it';
    const c = await capture(s);
    await c.start();
    await writeFile(s.at(hashOf(text)), text.slice(0, 10));
    setTimeout(() => void writeFile(s.at(hashOf(text)), text), 150);
    const done = await c.finish();
    expect(done.mismatched).toEqual([]);
    expect(await stored(s.repository, done.listing.root)).toEqual({ [`attachment/${hashOf(text)}`]: text });
  });

  test('waits for its end also where it was deleted half-way between: it is read through its pin', async () => {
    const s = await scene();
    const text = 'made after pass 1, deleted before pass 2';
    const c = await capture(s);
    await c.start();
    const file = await open(s.at(hashOf(text)), 'w');
    await file.write(text.slice(0, 10));
    await vi.waitFor(async () => expect(await readdir(join(s.location, '.skep-pins', c.run))).toHaveLength(1));
    await rm(s.at(hashOf(text)));
    await file.write(text.slice(10));
    await file.close();
    const done = await c.finish();
    expect(done).toMatchObject({ mismatched: [], pinned: 1 });
    expect(await stored(s.repository, done.listing.root)).toEqual({ [`attachment/${hashOf(text)}`]: text });
  });

  test('ends pass 1, and pass 2, though uploads never cease: each holds what was there', async () => {
    const s = await scene();
    const begun: string[] = [];
    const uploads = new Set<Promise<void>>();
    const upload = async (text: string) => {
      begun.push(text);
      await writeFile(s.at(hashOf(text)), text.slice(0, 8));
      await delay(300);
      await writeFile(s.at(hashOf(text)), text);
    };
    const timer = setInterval(() => uploads.add(upload(`upload number ${begun.length}`)), 50);
    onTestFinished(() => clearInterval(timer));
    await delay(200);
    const c = await capture(s);
    await c.start();
    await delay(500);
    const before = begun.slice(0, -2);
    const done = await c.finish();
    clearInterval(timer);
    await Promise.all(uploads);
    expect(done.mismatched).toEqual([]);
    const all = await stored(s.repository, done.listing.root);
    expect(all).toMatchObject(Object.fromEntries(before.map((text) => [`attachment/${hashOf(text)}`, text])));
    for (const [path, text] of Object.entries(all)) expect(path).toBe(`attachment/${hashOf(text)}`);
    await c.close();
  });

  test.each(['md5', 'sha1', 'sha512'])(
    'knows a half-written or damaged file by a name that is its %s',
    async (hash) => {
      const s = await scene();
      const nameOf = (text: string) => createHash(hash).update(text).digest('hex');
      const [half, whole, bad] = ['first half, second half', 'whole', 'damaged'].map((text) => s.at(nameOf(text)));
      await writeFile(half as string, 'first half');
      await writeFile(whole as string, 'whole');
      await writeFile(bad as string, 'other');
      const old = new Date(Date.now() - 60_000);
      await utimes(bad as string, old, old);
      const c = await capture(s);
      const starting = c.start();
      setTimeout(() => void writeFile(half as string, 'first half, second half'), 150);
      await starting;
      const done = await c.finish();
      expect(done.mismatched).toEqual([`attachment/${nameOf('damaged')}`]);
      expect(await stored(s.repository, done.listing.root)).toEqual({
        [`attachment/${nameOf('first half, second half')}`]: 'first half, second half',
        [`attachment/${nameOf('whole')}`]: 'whole',
        [`attachment/${nameOf('damaged')}`]: 'other',
      });
    },
  );

  test('keeps a file whose content is not what its name promises, and reports it', async () => {
    const s = await scene();
    const path = s.at(hashOf('promised'));
    await writeFile(path, 'damaged');
    const old = new Date(Date.now() - 60_000);
    await utimes(path, old, old);
    const c = await capture(s);
    await c.start();
    const done = await c.finish();
    expect(done.mismatched).toEqual([`attachment/${hashOf('promised')}`]);
    expect(await stored(s.repository, done.listing.root)).toEqual({ [`attachment/${hashOf('promised')}`]: 'damaged' });
  });

  test('looks at such a file once more in pass 2: a long upload may have ended', async () => {
    const s = await scene();
    const path = s.at(hashOf('a long upload'));
    await writeFile(path, 'a long');
    const old = new Date(Date.now() - 60_000);
    await utimes(path, old, old);
    const c = await capture(s);
    await c.start();
    await writeFile(path, 'a long upload');
    const done = await c.finish();
    expect(done.mismatched).toEqual([]);
    expect(await stored(s.repository, done.listing.root)).toEqual({
      [`attachment/${hashOf('a long upload')}`]: 'a long upload',
    });
  });

  test('lists names of any script in the order that a listing has', async () => {
    const s = await scene();
    for (const name of ['😀', '豈', 'ﬀ', 'a', 'ä']) await writeFile(s.at(name), name);
    const c = await capture(s);
    await c.start();
    expect((await c.finish()).listing.files).toBe(5);
  });
});

describe('a capture that is stopped', () => {
  test('ends soon though a file is still being written, and leaves nothing', async () => {
    const s = await scene();
    await writeFile(s.at(hashOf('never whole')), 'never');
    const c = await capture(s);
    const starting = c.start();
    setTimeout(() => c.stop.abort(), 100);
    await expect(starting).rejects.toMatchObject({ code: 'cancelled' });
    await c.close();
    expect(await readdir(s.location)).toEqual(['attachment']);
  });

  test('before it began does not begin', async () => {
    const s = await scene();
    const c = await capture(s);
    c.stop.abort();
    await expect(c.start()).rejects.toMatchObject({ code: 'cancelled' });
  });
});

describe('a capture that fails', () => {
  test('tells the first failure with its type', async () => {
    const s = await scene();
    await writeFile(s.at(hashOf('x')), 'x');
    const c = await capture(s);
    await rm(join(s.repository.location, 'objects'), { recursive: true, force: true });
    await writeFile(join(s.repository.location, 'objects'), 'in the way');
    const failed = c.start().then(() => c.finish());
    await expect(failed).rejects.toMatchObject({ name: 'SkepError', code: 'repository-failed' });
  });
});

describe('a capture that is given the listing of an older backup', () => {
  const at = (text: string) => `attachment/${hashOf(text)}`;

  async function backedUp(...texts: string[]) {
    const s = await scene();
    for (const text of texts) await writeFile(s.at(hashOf(text)), text);
    const { listing, object } = await once(s);
    return { ...s, previous: listing, object };
  }

  /** A whole capture, and where an object is. */
  async function once(s: Awaited<ReturnType<typeof scene>>, previous?: ListingRef) {
    const c = await capture(s, previous);
    await c.start();
    const done = await c.finish();
    await c.close();
    const object = (text: string) => join(s.repository.location, 'objects', hashOf(text).slice(0, 2), hashOf(text));
    return { ...done, object };
  }

  test('lists what was added since, not what is gone, as a listing that is made anew', async () => {
    const s = await backedUp('one', 'two', 'three');
    await rm(s.at(hashOf('two')));
    await writeFile(s.at(hashOf('four')), 'four');
    await writeFile(s.at('no hash'), 'no hash');
    const done = await once(s, s.previous);
    expect(done).toMatchObject({ newObjects: 2, pinned: 2, mismatched: [], listing: { files: 4 } });
    const { 'attachment/no hash': other, ...named } = await stored(s.repository, done.listing.root);
    expect(named).toEqual(Object.fromEntries(['one', 'three', 'four'].map((text) => [at(text), text])));
    expect(other).toBe('no hash');
    expect(done.listing).toEqual((await once(s)).listing);
  });

  test('does not even look at a file that it has: one that was damaged since is stored right', async () => {
    const s = await backedUp('good');
    await writeFile(s.at(hashOf('good')), 'damaged meanwhile');
    const done = await once(s, s.previous);
    expect(done).toMatchObject({ newObjects: 0, pinned: 0 });
    expect(await stored(s.repository, done.listing.root)).toEqual({ [at('good')]: 'good' });
  });

  test('stores again what is no longer in the repository', async () => {
    const s = await backedUp('kept', 'lost');
    await rm(s.object('lost'));
    const done = await once(s, s.previous);
    expect(done).toMatchObject({ newObjects: 1, pinned: 1, listing: { files: 2 } });
    expect(done.listing).toEqual(s.previous);
    expect(await readdir(dirname(s.object('lost')))).toEqual([hashOf('lost')]);
  });

  test('reads a file again that had not the content of its name', async () => {
    const s = await scene();
    const path = s.at(hashOf('mended'));
    await writeFile(path, 'broken');
    const old = new Date(Date.now() - 60_000);
    await utimes(path, old, old);
    const first = await once(s);
    expect(first.mismatched).toEqual([at('mended')]);
    await writeFile(path, 'mended');
    const second = await once(s, first.listing);
    expect(second.mismatched).toEqual([]);
    expect(await stored(s.repository, second.listing.root)).toEqual({ [at('mended')]: 'mended' });
  });

  test('keeps what it saw in pass 1 though it is deleted before pass 2, and takes it up when it comes back', async () => {
    const s = await backedUp('one', 'two');
    await rm(s.at(hashOf('two')));
    const c = await capture(s, s.previous);
    await c.start();
    await rm(s.at(hashOf('one')));
    await writeFile(s.at(hashOf('two')), 'two');
    const done = await c.finish();
    expect(done).toMatchObject({ newObjects: 0, pinned: 0 });
    expect(done.listing).toEqual(s.previous);
  });

  test('gives marks of the repository from before its first look: what goes meanwhile has changed them', async () => {
    const s = await backedUp('one', 'two');
    const folder = (text: string) => hashOf(text).slice(0, 2);
    await delay(150);
    const c = await capture(s, s.previous);
    await c.start();
    await rm(s.object('two'));
    const { marks } = await c.finish();
    await c.close();
    await delay(150);
    const now = await takeMarks(new PathBackend(s.repository.location));
    expect(Object.keys(marks).sort()).toEqual([folder('one'), folder('two')].sort());
    expect(now[folder('one')]).toBe(marks[folder('one')]);
    expect(now[folder('two')]).not.toBe(marks[folder('two')]);
    expect((await once(s)).marks).toEqual({});
  });

  test('does not list names again where none has come, but sees one that has come last', async () => {
    const s = await backedUp('one', 'two');
    await delay(150);
    const walks = vi.spyOn(KnownFolders.prototype, 'look');
    const c = await capture(s, s.previous);
    await c.start();
    const isKnown = () =>
      walks.mock.results.some(
        ({ value }, n) => walks.mock.calls[n]?.[0] === 'attachment' && value.folders !== undefined,
      );
    await vi.waitFor(() => expect(isKnown()).toBe(true));
    await writeFile(s.at(hashOf('last')), 'last');
    expect((await c.finish()).listing.files).toBe(3);
    walks.mockRestore();
  });

  test('goes on without it when it cannot be read', async () => {
    const s = await backedUp('one');
    await rm(join(s.repository.location, 'listings'), { recursive: true });
    const done = await once(s, s.previous);
    expect(done.listing).toEqual(s.previous);
    expect(await stored(s.repository, done.listing.root)).toEqual({ [at('one')]: 'one' });
  });
});
