import { randomBytes } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { zstdDecompressSync } from 'node:zlib';
import { generateX25519Identity, identityToRecipient } from 'age-encryption';
import { describe, expect, test, vi } from 'vitest';
import type { Backend } from '../../../src/repository/backend/backend.ts';
import { MemoryBackend } from '../../../src/repository/backend/memory-backend.ts';
import { PathBackend } from '../../../src/repository/backend/path/path-backend.ts';
import { notedDamage, noteDamage } from '../../../src/repository/damage/notes.ts';
import { pieceKey } from '../../../src/repository/format/names.ts';
import {
  type Compression,
  type ListingEntry,
  type Manifest,
  openHintCache,
  type Repository,
} from '../../../src/repository/index.ts';
import { initOnBackend, openOnBackend } from '../../../src/repository/repository.ts';
import { fileEntry } from '../../../src/repository/format/listing-entry.ts';
import { CLUSTER, collect, nextBackupId, publishPart, temporaryFolder } from './support/repository.ts';
import { dropManifest, fastFolder, pruneOn } from './support/races.ts';

vi.setConfig({ testTimeout: 120_000 });

interface Scene {
  backend: Backend;
  /** As a node has it. */
  writing: Repository;
  /** With all keys that there are. */
  reading: Repository;
  /** As it is checked by who has no private key. */
  closed: Repository;
}

const SCENES: Record<string, () => Promise<Scene>> = {
  memory: () => plain(new MemoryBackend()),
  'a path': async () => plain(new PathBackend(join(await fastFolder(), 'repo'))),
  'a sealed path': async () => sealed(new PathBackend(join(await fastFolder(), 'repo'))),
};

async function plain(backend: Backend): Promise<Scene> {
  const repo = await initOnBackend(backend, CLUSTER);
  return { backend, writing: repo, reading: repo, closed: repo };
}

async function sealed(backend: Backend): Promise<Scene> {
  const identity = await generateX25519Identity();
  const namingKey = randomBytes(32).toString('hex');
  const keys = { namingKey, recipients: [await identityToRecipient(identity)] };
  const writing = await initOnBackend(backend, CLUSTER, keys);
  const reading = await openOnBackend(backend, { ...keys, identities: [identity] });
  return { backend, writing, reading, closed: await openOnBackend(backend) };
}

const textFiles = (n: number, pathOf: (i: number) => string) =>
  Object.fromEntries(Array.from({ length: n }, (_, i) => [pathOf(i), Buffer.from(`content ${i}; `.repeat(100))]));

/** With paths so long that the listing has two levels. */
const FILES: Record<string, Buffer> = {
  ...textFiles(16, (i) => `${'long/'.repeat(400)}${i}`),
  text: Buffer.from('a small content that shrinks; '.repeat(60)),
  noise: randomBytes(5000),
  'large-noise': randomBytes(400_000),
  large: Buffer.from('a large content that shrinks; '.repeat(20_000)),
};

async function backUp({ writing }: Scene, compression: Compression = 'auto', files = FILES): Promise<Manifest> {
  const id = nextBackupId();
  const writer = writing.objectWriter({ run: id, writer: 'n1', compression });
  const entries: ListingEntry[] = [];
  for (const path of Object.keys(files).sort()) {
    entries.push(fileEntry(path, await writer.putBytes(files[path] as Buffer)));
  }
  const ref = await writing.writeListing(entries, writer);
  await writer.close();
  return publishPart(writing, id, { node: 'n1', store: 'files', ...ref, newBytes: writer.totals.newBytes });
}

async function flip(backend: Backend, key: string): Promise<void> {
  const bytes = await backend.get(key);
  bytes[Math.floor(bytes.length / 2)]! ^= 0x10;
  await backend.put(key, bytes, { overwrite: true });
}

async function keysBelow(backend: Backend, prefix: string): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of backend.list(prefix)) keys.push(key);
  return keys.sort();
}

async function objectOf({ reading }: Scene, manifest: Manifest, path: string): Promise<string> {
  for await (const entry of reading.readListing(manifest.parts[0]!)) {
    if (entry.path !== path || entry.linkTo !== undefined) continue;
    const suffix = { raw: '', zstd: '.zst', age: '.age', 'zstd+age': '.zst.age' }[entry.stored?.encoding ?? 'raw'];
    return `objects/${entry.object.slice(0, 2)}/${entry.object}${suffix}`;
  }
  throw new Error(`${path} is not listed`);
}

/** A piece that is no root; sealed ones cannot be told apart from without. */
async function leafOf({ backend }: Scene, kind: 'listing' | 'inventory', roots: readonly string[]): Promise<string> {
  for (const key of await keysBelow(backend, 'listings/')) {
    if (roots.includes(key)) continue;
    if (key.endsWith('.age')) {
      if (kind === 'listing') return key;
    } else if (
      zstdDecompressSync(await backend.get(key))
        .toString()
        .startsWith(`{"skep":"${kind}","level":0}`)
    ) {
      return key;
    }
  }
  throw new Error(`there is no piece of a ${kind}`);
}

type Victim = (scene: Scene, manifest: Manifest) => Promise<string>;

const rootsOf = ({ reading }: Scene, { parts: [part] }: Manifest) => ({
  listing: pieceKey(part!.root, reading.sealed ? 'zstd+age' : 'zstd'),
  inventory: pieceKey(part!.inventory, 'zstd'),
});
const leaf = (kind: 'listing' | 'inventory') => (scene: Scene, m: Manifest) =>
  leafOf(scene, kind, Object.values(rootsOf(scene, m)));

const VICTIMS: Record<string, Victim> = {
  'a small object': (s, m) => objectOf(s, m, 'noise'),
  'a small object that shrinks': (s, m) => objectOf(s, m, 'text'),
  'a large object': (s, m) => objectOf(s, m, 'large-noise'),
  'a large object that shrinks': (s, m) => objectOf(s, m, 'large'),
  'a piece of a listing': leaf('listing'),
  'the root of a listing': async (s, m) => rootsOf(s, m).listing,
  'the root of an inventory': async (s, m) => rootsOf(s, m).inventory,
};

async function expectClean({ backend, reading, closed }: Scene, backups: readonly Manifest[]): Promise<void> {
  for (const repo of [closed, reading]) {
    const report = await repo.verify({ level: 'data' });
    expect(report.findings).toEqual([]);
    expect(report.backups).toHaveLength(backups.length);
  }
  for (const { parts } of backups) {
    for (const entry of await collect(reading.readListing(parts[0]!))) {
      if (entry.linkTo !== undefined) continue;
      const bytes = Buffer.concat(await collect(await reading.readObject(entry.object)));
      expect(bytes.equals(FILES[entry.path] as Buffer)).toBe(true);
    }
  }
  // No note is left of what is whole.
  expect((await keysBelow(backend, 'damaged/')).filter((key) => key.split('/').length > 2)).toEqual([]);
}

describe.each(Object.keys(SCENES))('on %s', (name) => {
  const make = SCENES[name] as () => Promise<Scene>;

  test.each(Object.keys(VICTIMS))('%s with a flipped byte is whole again after a verify and a backup', async (what) => {
    const scene = await make();
    const old = await backUp(scene);
    const victim = await (VICTIMS[what] as Victim)(scene, old);
    await flip(scene.backend, victim);
    const report = await scene.closed.verify({ level: 'data' });
    expect(report.findings.map(({ key }) => key)).toEqual([victim]);
    const young = await backUp(scene);
    await expectClean(scene, [young, old]);
  });

  test('what is missing, or was cut, is whole again after a verify and a backup', async () => {
    const scene = await make();
    const old = await backUp(scene);
    const [gone, cut] = [await objectOf(scene, old, 'text'), await objectOf(scene, old, 'large')];
    await scene.backend.delete(gone);
    await scene.backend.put(cut, (await scene.backend.get(cut)).subarray(10), { overwrite: true });
    const report = await scene.closed.verify({ level: 'presence' });
    expect(report.findings.map(({ kind }) => kind).sort()).toEqual(['object-missing', 'object-truncated']);
    await expectClean(scene, [await backUp(scene), old]);
  });

  test('what was damaged is stored under the same key, whatever compression is asked for now', async () => {
    const scene = await make();
    const old = await backUp(scene);
    for (const path of ['text', 'large']) await flip(scene.backend, await objectOf(scene, old, path));
    expect((await scene.closed.verify({ level: 'data' })).findings).toHaveLength(2);
    await expectClean(scene, [await backUp(scene, 'off'), old]);
  });

  test('a damaged object that a later backup had found is whole again for both', async () => {
    const scene = await make();
    const old = await backUp(scene);
    await flip(scene.backend, await objectOf(scene, old, 'noise'));
    const between = await backUp(scene);
    // What is sealed is compared with the bytes that the older backup tells of; of a raw object of the right size it is believed.
    expect((await scene.closed.verify({ level: 'data' })).ok).toBe(scene.reading.sealed);
    await expectClean(scene, [await backUp(scene), between, old]);
  });

  test('what a verify that read badly has noted is not written over when it is seen to be whole', async () => {
    const scene = await make();
    const old = await backUp(scene);
    const keys = await Promise.all(['text', 'large', 'noise'].map((path) => objectOf(scene, old, path)));
    const before = await Promise.all(keys.map((key) => scene.backend.get(key)));
    const { root } = old.parts[0] as { root: string };
    // Whether a sealed piece is whole nobody can see who only writes.
    const pieces = scene.reading.sealed ? [] : [pieceKey(root, 'zstd')];
    for (const key of [...keys, ...pieces]) await noteDamage(scene.backend, key, { kind: 'object-unreadable' });
    const again = await backUp(scene);
    expect(await Promise.all(keys.map((key) => scene.backend.get(key)))).toEqual(before);
    expect(await notedDamage(scene.backend)).toEqual(new Set());
    const kept = await collect(scene.backend.list('damaged/'));
    expect(kept).toEqual([]);
    await expectClean(scene, [again, old]);
  });

  test('a prune keeps no notes of what it has removed', async () => {
    const scene = await make();
    const old = await backUp(scene);
    await flip(scene.backend, await objectOf(scene, old, 'noise'));
    await flip(scene.backend, await objectOf(scene, old, 'text'));
    await scene.closed.verify({ level: 'data' });
    await backUp(scene);
    await flip(scene.backend, await objectOf(scene, old, 'noise'));
    await scene.closed.verify({ level: 'data' });
    for (const { id } of await scene.closed.list()) await dropManifest(scene.backend, id);
    await pruneOn(scene.backend);
    expect(await keysBelow(scene.backend, 'objects/')).toEqual([]);
    expect((await keysBelow(scene.backend, 'damaged/')).filter((key) => key.split('/').length > 2)).toEqual([]);
    expect(await keysBelow(scene.backend, 'renewed/')).toEqual([]);
  });
});

test('a piece of an inventory with a flipped byte is whole again after a backup, also without a verify', async () => {
  const scene = await plain(new MemoryBackend());
  const files = textFiles(200, (i) => `f${i}`);
  const old = await backUp(scene, 'auto', files);
  await flip(scene.backend, await leaf('inventory')(scene, old));
  await backUp(scene, 'auto', files);
  expect((await scene.reading.verify({ level: 'data' })).findings).toEqual([]);
});

test('a verify that may not write still tells what is damaged, and that it could not note it', async () => {
  const scene = await plain(new MemoryBackend());
  const old = await backUp(scene);
  await flip(scene.backend, await objectOf(scene, old, 'noise'));
  const { SkepError } = await import('../../../src/errors.ts');
  scene.backend.put = async () => {
    throw new SkepError('repository-failed', 'cannot write: EROFS');
  };
  const report = await scene.reading.verify({ level: 'data' });
  expect(report.findings).toHaveLength(1);
  expect(report.notes.join()).toContain('EROFS');
});

test('a form that was put in by who has not the naming key does not pass for a renewal', async () => {
  const scene = await sealed(new MemoryBackend());
  const old = await backUp(scene);
  const key = await objectOf(scene, old, 'noise');
  await flip(scene.backend, key);
  const { hash } = await import('node:crypto');
  const bytes = await scene.backend.get(key);
  const forged = JSON.stringify({ size: bytes.length, mac: '0'.repeat(64) });
  await scene.backend.put(`renewed/${key}/${hash('sha256', bytes)}`, Buffer.from(forged));
  expect((await scene.writing.verify({ level: 'data' })).findings).toMatchObject([{ kind: 'hash-mismatch', key }]);
});

test('a hint of a file does not make good what was found damaged', async () => {
  const folder = await temporaryFolder();
  const scene = await sealed(new MemoryBackend());
  const { writeFile, utimes } = await import('node:fs/promises');
  const file = join(folder, 'f');
  await writeFile(file, FILES.noise as Buffer);
  await utimes(file, 1_700_000_000, 1_700_000_000);
  const hints = await openHintCache(join(folder, 'hints'), scene.writing.id);
  const take = async () => {
    const id = nextBackupId();
    const writer = scene.writing.objectWriter({ run: id, writer: 'n1', hints });
    const ref = await scene.writing.writeListing([fileEntry('noise', await writer.putFile(file))], writer);
    await writer.close();
    return publishPart(scene.writing, id, { node: 'n1', store: 'files', ...ref, newBytes: 0 });
  };
  const old = await take();
  await flip(scene.backend, await objectOf(scene, old, 'noise'));
  expect((await scene.closed.verify({ level: 'data' })).ok).toBe(false);
  await expectClean(scene, [await take(), old]);
  await rm(folder, { recursive: true });
});
