import { createHash, randomBytes } from 'node:crypto';
import { generateX25519Identity, identityToRecipient } from 'age-encryption';
import { describe, expect, test, vi } from 'vitest';
import { SkepError } from '../../../src/errors.ts';
import type { Backend } from '../../../src/repository/backend/backend.ts';
import { MemoryBackend } from '../../../src/repository/backend/memory-backend.ts';
import { notedDamage, notedKind } from '../../../src/repository/damage/notes.ts';
import type { Manifest, Repository, VerifyLevel } from '../../../src/repository/index.ts';
import { initOnBackend, openOnBackend } from '../../../src/repository/repository.ts';
import { backUp, CLUSTER, memoryRepository } from './support/repository.ts';

vi.setConfig({ testTimeout: 60_000 });

const TEXT = 'a content that shrinks; '.repeat(60);
const OWNER = { run: 'r', host: 'h', pid: 1 };

interface Scene {
  backend: Backend;
  repo: Repository;
  old: Manifest;
  young: Manifest;
}

/** Two backups that need all of it; with `keys` sealed. */
async function scene(isSealed = false): Promise<Scene & { closed: Repository }> {
  const backend = new MemoryBackend();
  const identity = await generateX25519Identity();
  const keys = { namingKey: randomBytes(32).toString('hex'), recipients: [await identityToRecipient(identity)] };
  const writing = await initOnBackend(backend, CLUSTER, isSealed ? keys : {});
  const files = { noise: randomBytes(3000), text: TEXT };
  const old = await backUp(writing, files, 'auto');
  const young = await backUp(writing, { ...files, more: 'new' }, 'auto');
  const repo = isSealed ? await openOnBackend(backend, { ...keys, identities: [identity] }) : writing;
  return { backend, repo, old, young, closed: isSealed ? await openOnBackend(backend) : writing };
}

async function keysBelow(backend: Backend, prefix: string): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of backend.list(prefix)) keys.push(key);
  return keys;
}

/** Takes a key away, or flips a bit in it, and gives what puts it back. */
async function spoil(backend: Backend, key: string, how: 'gone' | 'flipped'): Promise<() => Promise<unknown>> {
  const bytes = await backend.get(key);
  if (how === 'gone') await backend.delete(key);
  else await backend.put(key, flipped(bytes), { overwrite: true });
  return () => backend.put(key, bytes, { overwrite: true });
}

function flipped(bytes: Buffer): Buffer {
  const other = Buffer.from(bytes);
  other[other.length >> 1]! ^= 0x10;
  return other;
}

async function states(repo: Repository): Promise<string[]> {
  return (await repo.list()).map(({ state }) => state);
}

async function objectWith(backend: Backend, ending: string): Promise<string> {
  const found = (await keysBelow(backend, 'objects/')).find((key) => key.endsWith(ending));
  if (found === undefined) throw new Error(`there is no object ${ending}`);
  return found;
}

describe.each([false, true])('in a repository that is sealed: %s', (isSealed) => {
  test.each(['gone', 'flipped'] as const)('what was %s and is back is damaged no more, whatever it is', async (how) => {
    const s = await scene(isSealed);
    const all = [...(await keysBelow(s.backend, 'objects/')), ...(await keysBelow(s.backend, 'listings/'))];
    for (const key of all) {
      const putBack = await spoil(s.backend, key, how);
      expect((await s.closed.verify({ level: 'data' })).ok).toBe(false);
      expect(await notedDamage(s.backend)).toEqual(new Set([key]));
      expect(await states(s.repo)).toContain('damaged');
      await putBack();
      expect(await s.closed.verify({ level: 'data' })).toMatchObject({ ok: true, takenBack: 1, notes: [] });
      expect(await states(s.repo)).toEqual(['complete', 'complete']);
    }
    expect(await s.repo.verify({ level: 'data' })).toMatchObject({ ok: true, takenBack: 0 });
  });

  test('a verify of one backup is enough, where the others expect the same', async () => {
    const s = await scene(isSealed);
    const key = await objectWith(s.backend, isSealed ? '.zst.age' : '.zst');
    const putBack = await spoil(s.backend, key, 'gone');
    await s.repo.verify({ level: 'data' });
    await putBack();
    expect(await s.repo.verify({ level: 'data', ids: [s.old.id] })).toMatchObject({ takenBack: 1 });
    expect(await states(s.repo)).toEqual(['complete', 'complete']);
  });
});

test('a right size takes back that it was not there, and nothing that was said of its content', async () => {
  const s = await scene();
  const key = await objectWith(s.backend, '');
  const levels = async (level: VerifyLevel) => (await s.repo.verify({ level })).takenBack;
  const good = await s.backend.get(key);
  const missing = await spoil(s.backend, key, 'gone');
  await levels('presence');
  await missing();
  expect(await levels('structure')).toBe(0);
  expect(await levels('presence')).toBe(1);
  await spoil(s.backend, key, 'gone');
  await levels('presence');
  // It comes back with another content: the right size is not enough any more.
  await s.backend.put(key, flipped(good));
  await levels('data');
  expect(await notedKind(s.backend, key)).toBe('hash-mismatch');
  const again = await spoil(s.backend, key, 'gone');
  await levels('presence');
  expect(await notedKind(s.backend, key)).toBe('hash-mismatch');
  await again();
  expect(await levels('presence')).toBe(0);
  await s.backend.put(key, good, { overwrite: true });
  expect(await levels('presence')).toBe(0);
  expect(await levels('data')).toBe(1);
});

test('a subset takes back what it has read', async () => {
  const s = await scene();
  const putBack = [];
  for (const key of await keysBelow(s.backend, 'objects/')) putBack.push(await spoil(s.backend, key, 'flipped'));
  await s.repo.verify({ level: 'data' });
  for (const one of putBack) await one();
  const taken: number[] = [];
  for (const part of [1, 2, 3]) {
    const { takenBack, read } = await s.repo.verify({ level: 'data', subset: { part, of: 3 } });
    expect(takenBack).toBe(read.objects);
    taken.push(takenBack);
  }
  expect(taken.reduce((sum, n) => sum + n)).toBe(3);
});

test('bytes that another backup does not expect stay noted when only one is verified', async () => {
  const { repo, backend } = await memoryRepository();
  const old = await backUp(repo, { text: TEXT }, 'auto');
  const key = await objectWith(backend, '.zst');
  const before = await backend.get(key);
  // Stored anew by a writer that ended before it could tell so: another version of zstd makes other bytes.
  const { zstdCompressSync } = await import('node:zlib');
  await backend.put(key, zstdCompressSync(Buffer.from(`${TEXT}\n`)), { overwrite: true });
  const sha256 = createHash('sha256').update(before).digest('hex');
  expect((await repo.verify({ level: 'data' })).findings).toMatchObject([{ key, expected: sha256 }]);
  await backend.put(key, zstdCompressSync(Buffer.from(TEXT), { params: { 100: 19, 201: 1 } }), { overwrite: true });
  await backend.delete(`damaged/${key}`);
  const young = await backUp(repo, { text: TEXT, more: 'new' }, 'auto');
  await repo.verify({ level: 'data' });
  expect(await notedDamage(backend)).toEqual(new Set([key]));
  expect(await repo.verify({ level: 'data', ids: [young.id] })).toMatchObject({ ok: true, takenBack: 0 });
  expect(await states(repo)).toEqual(['damaged', 'damaged']);
  await backend.put(key, before, { overwrite: true });
  expect(await repo.verify({ level: 'data', ids: [old.id] })).toMatchObject({ ok: true, takenBack: 0 });
});

test('a renewal that nobody can vouch for takes nothing back', async () => {
  const s = await scene(true);
  const key = await objectWith(s.backend, '.zst.age');
  await spoil(s.backend, key, 'flipped');
  expect((await s.repo.verify({ level: 'data' })).ok).toBe(false);
  const bytes = await s.backend.get(key);
  const renewed = `renewed/${key}/${createHash('sha256').update(bytes).digest('hex')}`;
  await s.backend.put(renewed, Buffer.from(JSON.stringify({ size: bytes.length, mac: '0'.repeat(64) })));
  expect(await s.closed.verify({ level: 'data' })).toMatchObject({ ok: true, takenBack: 0 });
  expect(await notedDamage(s.backend)).toEqual(new Set([key]));
});

test('while a backup is written notes stay, and that is told', async () => {
  const s = await scene();
  const key = await objectWith(s.backend, '.zst');
  const putBack = await spoil(s.backend, key, 'gone');
  await s.repo.verify({ level: 'data' });
  await putBack();
  const lease = await s.repo.acquireLease('write', OWNER);
  const during = await s.repo.verify({ level: 'data', owner: OWNER });
  expect(during).toMatchObject({ ok: true, takenBack: 0, notes: [expect.stringContaining('r on h writes')] });
  await lease.release();
  expect(await s.repo.verify({ level: 'data', owner: OWNER })).toMatchObject({ takenBack: 1, notes: [] });
});

test('a note that comes while a verify reads stays', async () => {
  const s = await scene();
  const key = await objectWith(s.backend, '.zst');
  const sizes = s.backend.sizes.bind(s.backend);
  s.backend.sizes = async (keys) => {
    if (keys.includes(key)) await s.backend.put(`damaged/${key}`, Buffer.from('{"kind":"hash-mismatch"}\n'));
    return sizes(keys);
  };
  expect(await s.repo.verify({ level: 'data' })).toMatchObject({ ok: true, takenBack: 0 });
  expect(await notedDamage(s.backend)).toEqual(new Set([key]));
});

test('who may only read is told that the notes stay', async () => {
  const s = await scene();
  const key = await objectWith(s.backend, '.zst');
  const putBack = await spoil(s.backend, key, 'gone');
  await s.repo.verify({ level: 'data' });
  await putBack();
  s.backend.deleteMany = async () => {
    throw new SkepError('repository-failed', 'cannot delete: EROFS');
  };
  const report = await s.repo.verify({ level: 'data' });
  expect(report).toMatchObject({ ok: true, takenBack: 0, notes: [expect.stringContaining('EROFS')] });
});
