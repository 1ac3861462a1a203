import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { generateX25519Identity, identityToRecipient } from 'age-encryption';
import { describe, expect, test, vi } from 'vitest';
import {
  fileEntry,
  initRepository,
  type ListingEntry,
  type Manifest,
  openHintCache,
  openRepository,
  type Repository,
  type RepositoryAccess,
} from '../../../src/repository/index.ts';
import { CLUSTER, collect, nextBackupId, temporaryFolder, writeTemporary } from './support/repository.ts';

vi.setConfig({ testTimeout: 120_000 });

const WORDS = 'observable 198.51.100.7 seen in case 42; ';
/** By path: contents that shrink and that do not, small and large, empty, of exactly one and two frames. */
const FILES: Record<string, Buffer> = {
  'attachment/empty': Buffer.alloc(0),
  'attachment/frame': randomBytes(64 << 10),
  'attachment/large': randomBytes((3 << 20) + 17),
  'attachment/large-text': Buffer.from(WORDS.repeat(50_000)),
  'attachment/small': randomBytes(1000),
  'attachment/text': Buffer.from(WORDS.repeat(100)),
  'attachment/two-frames': randomBytes(128 << 10),
};
const DETAILS = { topology: { tokens: ['-9223372036854775808'] } };

interface Keys {
  identity: string;
  recipient: string;
  namingKey: string;
}

async function newKeys(): Promise<Keys> {
  const identity = await generateX25519Identity();
  return { identity, recipient: await identityToRecipient(identity), namingKey: randomBytes(32).toString('hex') };
}

interface Sealed {
  folder: string;
  location: string;
  keys: Keys;
  /** As a node opens it: it may write and cannot read. */
  writing: RepositoryAccess;
  reading: RepositoryAccess;
}

async function sealed(): Promise<Sealed> {
  const folder = await temporaryFolder();
  const location = join(folder, 'repo');
  const keys = await newKeys();
  const writing = { location, namingKey: keys.namingKey, recipients: [keys.recipient] };
  await initRepository(writing, CLUSTER);
  return { folder, location, keys, writing, reading: { location, identities: [keys.identity] } };
}

async function backUp(
  repo: Repository,
  folder: string,
  files: Readonly<Record<string, Buffer>> = FILES,
  compression: 'off' | 'auto' = 'auto',
): Promise<Manifest> {
  const id = nextBackupId();
  const writer = repo.objectWriter({ run: id, writer: 'n1', compression });
  const entries: ListingEntry[] = [];
  for (const path of Object.keys(files).sort()) {
    const source = await writeTemporary(folder, 'source', files[path] as Buffer);
    entries.push(fileEntry(path, await writer.putFile(source)));
  }
  const listing = await repo.writeListing(entries, writer);
  await writer.close();
  return publishListing(repo, id, listing, writer.totals.newBytes);
}

function publishListing(
  repo: Repository,
  id: string,
  listing: { root: string; inventory: string; files: number; bytes: number },
  newBytes: number,
): Promise<Manifest> {
  const at = new Date(Date.UTC(2026, 0, 1)).toISOString();
  const parts = [{ node: 'n1', store: 'files', ...listing, newBytes }];
  const cut = { consistency: 'cut' as const, cutMicros: '1767225600000001' };
  return repo.publish({ id, startedAt: at, finishedAt: at, ...cut, parts, details: DETAILS });
}

async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
    .sort();
}

async function overwrite(path: string, bytes: Buffer): Promise<void> {
  await rm(path);
  await writeFile(path, bytes);
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

describe('a sealed repository', () => {
  test('gives everything back to who has the private key', async () => {
    const { folder, writing, reading } = await sealed();
    const manifest = await backUp(await openRepository(writing), folder);
    const repo = await openRepository(reading);
    expect(repo).toMatchObject({ sealed: true, opens: true });
    expect(await repo.readDetails(await repo.readManifest(manifest.id))).toEqual(DETAILS);
    const entries = await collect(repo.readListing(manifest.parts[0]!));
    expect(entries.map((entry) => entry.path)).toEqual(Object.keys(FILES));
    for (const entry of entries) {
      const content = FILES[entry.path] as Buffer;
      const { object, sha256: hash } = entry as { object: string; sha256?: string };
      expect(hash).toBe(sha256(content));
      expect(await repo.extract(object, join(folder, 'out'))).toBe(content.length);
      expect((await readFile(join(folder, 'out'))).equals(content)).toBe(true);
      expect(Buffer.concat(await collect(await repo.readObject(object))).equals(content)).toBe(true);
    }
    expect(await repo.verify({ level: 'data' })).toMatchObject({ ok: true, closed: false, objects: 7 });
  });

  test('is listed and verified to the last stored byte without any key, and nothing more', async () => {
    const { folder, location, writing } = await sealed();
    const manifest = await backUp(await openRepository(writing), folder);
    const repo = await openRepository(location);
    expect(repo).toMatchObject({ sealed: true, opens: false });
    const { details: _d, sealed: _s, mac: _m, ...plain } = manifest;
    expect(await repo.list()).toEqual([{ id: manifest.id, state: 'complete', manifest: plain }]);
    expect(await repo.verify({ level: 'data' })).toMatchObject({ ok: true, closed: true, objects: 7, findings: [] });
    await expect(repo.readDetails(await repo.readManifest(manifest.id))).rejects.toMatchObject({ code: 'key-missing' });
    expect(() => repo.objectWriter({ run: 'r', writer: 'w' }).putPiece('listing', Buffer.alloc(9))).toThrow(
      expect.objectContaining({ code: 'key-missing' }),
    );
  });

  test('cannot be read by a node, which has the naming key and the public ones', async () => {
    const { folder, writing } = await sealed();
    const repo = await openRepository(writing);
    const manifest = await backUp(repo, folder);
    const closed = { code: 'key-missing', exitCode: 12 };
    expect(repo.opens).toBe(false);
    await expect(collect(repo.readListing(manifest.parts[0]!))).rejects.toMatchObject(closed);
    await expect(repo.readDetails(manifest)).rejects.toMatchObject(closed);
    const objects = (await filesBelow(join(folder, 'repo', 'objects'))).map((path) => path.slice(3, 67));
    expect(objects).toHaveLength(7);
    for (const object of objects) {
      await expect(repo.extract(object, join(folder, 'out'))).rejects.toMatchObject(closed);
      await expect(repo.readObject(object).then((stream) => collect(stream))).rejects.toMatchObject(closed);
    }
  });

  test('tells whoever holds the storage neither contents, nor hashes of them, nor paths', async () => {
    const { folder, location, writing } = await sealed();
    await backUp(await openRepository(writing), folder);
    const secrets = [...Object.values(FILES).map(sha256), ...Object.keys(FILES), '-9223372036854775808', WORDS];
    const paths = await filesBelow(location);
    expect(paths.filter((path) => path.startsWith('objects/')).every((path) => path.endsWith('.age'))).toBe(true);
    for (const path of paths) {
      const stored = await readFile(join(location, path));
      const open = path.endsWith('.zst') ? execFileSync('zstd', ['-dcq'], { input: stored }) : stored;
      for (const secret of secrets) {
        expect(path).not.toContain(secret);
        expect(open.includes(secret)).toBe(false);
      }
    }
  });

  test('is opened by the standard tool: objects, pieces, details and the naming key', async () => {
    const { folder, location, keys, writing } = await sealed();
    const manifest = await backUp(await openRepository(writing), folder);
    const identity = await writeTemporary(folder, 'identity', `${keys.identity}\n`);
    const open = (input: Buffer) => execFileSync('age', ['-d', '-i', identity], { input, maxBuffer: 1 << 26 });
    const unpack = (path: string, stored: Buffer) =>
      path.includes('.zst')
        ? execFileSync('zstd', ['-dcq'], { input: open(stored), maxBuffer: 1 << 26 })
        : open(stored);
    const plain = new Map<string, string>();
    for (const path of await filesBelow(location)) {
      if (path.endsWith('.age')) plain.set(path, sha256(unpack(path, await readFile(join(location, path)))));
    }
    const { root } = manifest.parts[0]!;
    expect(plain.has(`listings/${root.slice(0, 2)}/${root}.zst.age`)).toBe(true);
    for (const content of Object.values(FILES)) expect([...plain.values()]).toContain(sha256(content));
    expect(JSON.parse(open(Buffer.from(manifest.sealed as string, 'base64')).toString())).toEqual(DETAILS);
    const generation = JSON.parse(await readFile(join(location, 'keys/1.json'), 'utf8')) as { naming: string };
    expect(open(Buffer.from(generation.naming, 'base64')).toString()).toBe(`${keys.namingKey}\n`);
  });

  test('opens what the standard tool has sealed', async () => {
    const { openSealedBytes } = await import('../../../src/repository/sealing/open.ts');
    const { identity, recipient } = await newKeys();
    for (const content of Object.values(FILES)) {
      const stored = execFileSync('age', ['-r', recipient], { input: content, maxBuffer: 1 << 26 });
      expect((await openSealedBytes(stored, [identity])).equals(content)).toBe(true);
    }
  });

  test('stores a content once, and notes how it is stored without reading it where a hint tells', async () => {
    const { folder, writing, reading } = await sealed();
    const repo = await openRepository(writing);
    const first = await backUp(repo, folder);
    const second = await backUp(repo, folder);
    expect(second.parts[0]).toEqual({ ...first.parts[0], newBytes: 0 });
    const hints = await openHintCache(join(folder, 'hints'), repo.id);
    const source = await writeTemporary(folder, 'hinted', randomBytes(5000));
    await utimes(source, 1_767_225_600, 1_767_225_600);
    const writer = repo.objectWriter({ run: nextBackupId(), writer: 'n1', hints });
    const stored = await writer.putFile(source);
    await writer.flush();
    let read = 0;
    expect(await writer.putFile(source, { onBytes: (n) => (read += n) })).toEqual({ ...stored, isNew: false });
    expect(await writer.find(stored.sha256, 5000)).toEqual({ ...stored, isNew: false });
    expect(await writer.find(stored.sha256, 5001)).toBeUndefined();
    expect(read).toBe(0);
    await writer.close();
    expect((await (await openRepository(reading)).verify({ level: 'data' })).ok).toBe(true);
  });

  test('keeps what the winner of a race wrote: the loser notes those bytes, in its listing and in its hints', async () => {
    const { folder, writing, reading } = await sealed();
    const repos = [await openRepository(writing), await openRepository(writing)];
    const ids = [nextBackupId(), nextBackupId()];
    const hints = await openHintCache(join(folder, 'hints'), repos[0]!.id);
    const source = await writeTemporary(folder, 'raced', FILES['attachment/large'] as Buffer);
    await utimes(source, 1_767_225_600, 1_767_225_600);
    const writers = repos.map((repo, i) => repo.objectWriter({ run: ids[i] as string, writer: 'n1', hints }));
    const both = [await writers[0]!.putFile(source), await writers[1]!.putFile(source)];
    expect(both.map((stored) => stored.isNew)).toEqual([true, true]);
    expect(both[0]!.storedSha256).not.toBe(both[1]!.storedSha256);
    for (const [i, writer] of writers.entries()) {
      const listing = await repos[i]!.writeListing([fileEntry('raced', both[i]!)], writer);
      await writer.close();
      await publishListing(repos[i]!, ids[i] as string, listing, writer.totals.newBytes);
    }
    expect(writers.map((writer) => writer.totals.newObjects)).toEqual([1, 0]);
    expect(hints.find(both[0]!.sha256, both[0]!.size)?.storedSha256).toBe(both[0]!.storedSha256);
    for (const access of [writing, reading]) {
      expect((await (await openRepository(access)).verify({ level: 'data' })).findings).toEqual([]);
    }
  });
});

describe('damage in a sealed repository', () => {
  test('of any stored byte is found without a key, and nothing damaged is given out', async () => {
    const { folder, location, writing, reading } = await sealed();
    const manifest = await backUp(await openRepository(writing), folder, {
      'attachment/small': FILES['attachment/small'] as Buffer,
      'attachment/text': FILES['attachment/text'] as Buffer,
    });
    const keys = (await filesBelow(location)).filter((path) => /^(objects|listings)\//.test(path));
    expect(keys).toHaveLength(4);
    for (const key of keys) {
      const path = join(location, key);
      const good = await readFile(path);
      const kinds: string[] = [];
      // In the header, in the payload, at its end; and cut.
      for (const at of [30, good.length >> 1, good.length - 1, undefined]) {
        const bad = at === undefined ? good.subarray(0, -1) : Buffer.from(good);
        if (at !== undefined) bad[at]! ^= 1;
        await overwrite(path, bad);
        const report = await (await openRepository(location)).verify({ level: 'data' });
        expect(report.findings).toMatchObject([{ key, backups: [manifest.id] }]);
        kinds.push(...report.findings.map((finding) => finding.kind));
        const repo = await openRepository(reading);
        const opening = key.startsWith('objects/')
          ? repo.readObject(key.slice(11, 75)).then((stream) => collect(stream))
          : repo.verify({ level: 'structure' }).then(({ ok }) => (ok ? [] : Promise.reject(new Error('found'))));
        await expect(opening).rejects.toThrow();
      }
      const found = new Set(kinds);
      if (key.startsWith('objects/')) expect(found).toEqual(new Set(['hash-mismatch', 'object-truncated']));
      else expect(found).toEqual(new Set([key.endsWith('.age') ? 'listing-damaged' : 'inventory-damaged']));
      await overwrite(path, good);
    }
    expect((await (await openRepository(reading)).verify({ level: 'data' })).ok).toBe(true);
  });

  test('in an age header is told as damage, and not as a wrong key: a verify goes on', async () => {
    const { folder, location, writing, reading } = await sealed();
    const manifest = await backUp(await openRepository(writing), folder);
    const { root } = manifest.parts[0]!;
    const keys = (await filesBelow(location)).filter((path) => path.endsWith('.age'));
    for (const key of keys) {
      const path = join(location, key);
      const good = await readFile(path);
      const bad = Buffer.from(good);
      // In the share of the X25519 stanza.
      bad[40]! ^= 1;
      await overwrite(path, bad);
      const repo = await openRepository(reading);
      const report = await repo.verify({ level: 'data' });
      const kind = key.includes(root) ? 'listing-damaged' : 'hash-mismatch';
      expect(report.findings).toMatchObject([{ kind, key, backups: [manifest.id] }]);
      const damaged = { code: 'object-damaged', exitCode: 4 };
      const name = key.slice('objects/ab/'.length).replace(/\..*/, '');
      const readings = key.includes(root)
        ? [() => collect(repo.readListing(manifest.parts[0]!))]
        : [() => repo.extract(name, join(folder, 'out')), async () => collect(await repo.readObject(name))];
      for (const read of readings) await expect(read()).rejects.toMatchObject(damaged);
      await overwrite(path, good);
      await rm(join(location, 'damaged'), { recursive: true });
    }
  });

  test('of a header and of the inventory that tells its bytes does not end a verify', async () => {
    const { folder, location, writing, reading } = await sealed();
    const manifest = await backUp(await openRepository(writing), folder);
    for (const key of (await filesBelow(location)).filter((path) => path.startsWith('listings/'))) {
      const bad = await readFile(join(location, key));
      bad[40]! ^= 1;
      await overwrite(join(location, key), bad);
    }
    const report = await (await openRepository(reading)).verify({ level: 'structure' });
    expect(report.findings.map((finding) => finding.kind).sort()).toEqual(['inventory-damaged', 'listing-damaged']);
    expect(report.findings[0]?.backups).toEqual([manifest.id]);
  });

  test('is not seen in what is sealed to older keys than the identity', async () => {
    const { folder, location, writing } = await sealed();
    const manifest = await backUp(await openRepository(writing), folder);
    const young = await newKeys();
    await (await openRepository({ ...writing, recipients: [young.recipient] })).rotateKeys();
    const repo = await openRepository({ location, identities: [young.identity] });
    const wrong = { code: 'key-wrong', exitCode: 12 };
    await expect(repo.verify({ level: 'structure' })).rejects.toMatchObject(wrong);
    await expect(collect(repo.readListing(manifest.parts[0]!))).rejects.toMatchObject(wrong);
    const [object] = (await filesBelow(join(location, 'objects'))).map((path) => path.slice(3, 67));
    await expect(repo.extract(object as string, join(folder, 'out'))).rejects.toMatchObject(wrong);
  });

  test('of an object that was stored anew hits the older backups, not those that have its new bytes', async () => {
    const { folder, location, writing, reading } = await sealed();
    const repo = await openRepository(writing);
    const files = { a: FILES['attachment/small'] as Buffer };
    const first = await backUp(repo, folder, files);
    const [object] = await filesBelow(join(location, 'objects'));
    await rm(join(location, 'objects', object as string));
    const second = await backUp(repo, folder, files);
    const report = await (await openRepository(reading)).verify({ level: 'data' });
    expect(report.findings).toMatchObject([{ kind: 'hash-mismatch', backups: [first.id] }]);
    expect(second.parts[0]!.newBytes).toBeGreaterThan(0);
  });

  test('a manifest that was made without the naming key is told as forged', async () => {
    const { encodeManifest } = await import('../../../src/repository/format/manifest-codec.ts');
    const { folder, location, writing } = await sealed();
    const { mac: _, ...manifest } = await backUp(await openRepository(writing), folder);
    const path = join(location, 'backups', manifest.id, 'manifest.json');
    await overwrite(path, encodeManifest({ ...manifest, cutMicros: '1' }));
    const repo = await openRepository(writing);
    expect(await repo.list()).toMatchObject([{ state: 'damaged', finding: 'manifest-forged' }]);
    const report = await repo.verify({ level: 'structure' });
    expect(report.findings.map((finding) => finding.kind)).toEqual(['manifest-forged']);
    // Who has no key sees only that the copy differs.
    const blind = await (await openRepository(location)).verify({ level: 'structure' });
    expect(blind.findings.map((finding) => finding.kind)).toEqual(['manifest-copy-damaged']);
  });
});

describe('keys', () => {
  test('of others open nothing', async () => {
    const { folder, location, keys, writing } = await sealed();
    await backUp(await openRepository(writing), folder);
    const other = await newKeys();
    const wrong = { code: 'key-wrong', exitCode: 12 };
    await expect(openRepository({ location, identities: [other.identity] })).rejects.toMatchObject(wrong);
    await expect(openRepository({ location, namingKey: other.namingKey })).rejects.toMatchObject(wrong);
    await expect(
      openRepository({ location, identities: [keys.identity], namingKey: other.namingKey }),
    ).rejects.toMatchObject(wrong);
    await expect(openRepository({ location, identities: ['AGE-SECRET-KEY-1NONSENSE'] })).rejects.toMatchObject(wrong);
    const both = await openRepository({ location, identities: [other.identity, keys.identity] });
    expect((await both.verify({ level: 'structure' })).ok).toBe(true);
  });

  test('that are missing or superfluous are told when the repository is opened or made', async () => {
    const { folder } = await sealed();
    const keys = await newKeys();
    const location = join(folder, 'other');
    await expect(initRepository({ location, recipients: [keys.recipient] }, CLUSTER)).rejects.toMatchObject({
      code: 'key-missing',
    });
    await initRepository(location, CLUSTER);
    await expect(openRepository({ location, namingKey: keys.namingKey })).rejects.toMatchObject({
      code: 'config-invalid',
    });
  });

  test('that were brought in by who has only the storage are refused', async () => {
    const { folder, location, writing } = await sealed();
    const genuine = JSON.parse(await readFile(join(location, 'keys/1.json'), 'utf8')) as object;
    const recipients = [(await newKeys()).recipient];
    const forged = { ...genuine, generation: 2, recipients };
    await writeFile(join(location, 'keys/2.json'), JSON.stringify(forged));
    // With a checksum that was forgotten nobody is sealed to either.
    await expect(async () => backUp(await openRepository(writing), folder)).rejects.toMatchObject({
      code: 'repository-damaged',
    });
    await writeFile(join(location, 'keys/2.json'), JSON.stringify({ ...forged, sha256: undefined }));
    await expect(openRepository(writing)).rejects.toMatchObject({ code: 'key-wrong' });
    expect((await (await openRepository(location)).verify({ level: 'data' })).ok).toBe(true);
    await expect(backUp(await openRepository(location), folder)).rejects.toMatchObject({ code: 'key-missing' });
  });

  test('of the configuration must be those that the repository seals to', async () => {
    const { writing } = await sealed();
    const repo = await openRepository({ ...writing, recipients: [(await newKeys()).recipient] });
    expect(() => repo.objectWriter({ run: 'r', writer: 'w' })).toThrow(expect.objectContaining({ code: 'key-wrong' }));
  });

  test('are written before the repository is: an interrupted init is gone on with', async () => {
    const { folder, location, writing } = await sealed();
    const { id } = await openRepository(location);
    for (const name of ['skep.json', 'skep.copy.json']) await rm(join(location, name));
    const other = { ...writing, recipients: [(await newKeys()).recipient] };
    await expect(initRepository(other, CLUSTER)).rejects.toMatchObject({ code: 'key-wrong' });
    expect((await initRepository(writing, CLUSTER)).id).toBe(id);
    await backUp(await openRepository(writing), folder);
    await rm(join(location, 'keys'), { recursive: true });
    await expect(openRepository(writing)).rejects.toMatchObject({ code: 'repository-damaged' });
  });
});
