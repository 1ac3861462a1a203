import { describe, expect, test } from 'vitest';
import { manifestCopyKey, manifestKey } from '../../../../src/repository/format/names.ts';
import type { Manifest } from '../../../../src/repository/index.ts';
import { initOnBackend } from '../../../../src/repository/repository.ts';
import { forget } from '../../../../src/repository/retention/forget.ts';
import { dropManifest, objectsOf, ownerOf, pruneOn, Writer } from '../support/races.ts';
import { LockingBackend } from '../support/memory-retention.ts';
import { UNSEALED } from '../../../../src/repository/sealing/keyring.ts';
import { CLUSTER } from '../support/repository.ts';

const DAY = 86_400_000;
const LOCK = { lockMs: 30 * DAY };

async function backUp(backend: LockingBackend, contents: string[], options: object = LOCK): Promise<Manifest> {
  const writer = await (await Writer.on(backend)).begin();
  const manifest = await writer.publish(await writer.store(contents), {}, options);
  await writer.end();
  return manifest;
}

async function make(): Promise<LockingBackend> {
  const backend = new LockingBackend();
  await initOnBackend(backend, CLUSTER);
  return backend;
}

/** Makes every lock end so much earlier, as if time had passed. */
function age(backend: LockingBackend, ms: number): void {
  for (const [key, until] of backend.locks) backend.locks.set(key, new Date(until.getTime() - ms));
}

describe('object lock', () => {
  test('is set on all that a backup needs when it is published, and on its manifest', async () => {
    const backend = await make();
    const { id } = await backUp(backend, ['a', 'b']);
    const needed = [...backend.contents.keys()].filter((key) => /^(objects|listings|backups)\//.test(key));
    expect(needed.length).toBeGreaterThanOrEqual(2 + 2 + 2);
    expect([...backend.locks.keys()].sort()).toEqual(needed.sort());
    for (const until of backend.locks.values()) expect(until.getTime() - Date.now()).toBeGreaterThan(30 * DAY);
    expect(backend.locks.get(manifestKey(id))).toBeDefined();
    expect(backend.locks.get(manifestCopyKey(id))).toBeDefined();
  });

  test('of a manifest is there from its first moment on', async () => {
    const backend = await make();
    const { put } = backend;
    const lockedAtOnce = new Map<string, boolean>();
    backend.put = async (key, bytes, options) => {
      const done = await put.call(backend, key, bytes, options);
      lockedAtOnce.set(key, backend.locks.has(key));
      return done;
    };
    const { id } = await backUp(backend, ['a']);
    expect([manifestKey(id), manifestCopyKey(id)].map((key) => lockedAtOnce.get(key))).toEqual([true, true]);
    const unlocked = await backUp(backend, ['a'], {});
    expect(lockedAtOnce.get(manifestKey(unlocked.id))).toBe(false);
  });

  test('of what is reused is extended only near its end', async () => {
    const backend = await make();
    await backUp(backend, ['a', 'b']);
    backend.locked.length = 0;
    age(backend, 9 * DAY);
    await backUp(backend, ['a', 'b', 'c']);
    expect(backend.locked.flat().filter((key) => key.startsWith('objects/'))).toHaveLength(1);
    backend.locked.length = 0;
    age(backend, 3 * DAY);
    await backUp(backend, ['a', 'b', 'c']);
    expect(backend.locked.flat().filter((key) => key.startsWith('objects/'))).toHaveLength(2);
  });

  test('is not set unless it is asked for', async () => {
    const backend = await make();
    await backUp(backend, ['a'], {});
    expect(backend.locks.size).toBe(0);
  });

  test('keeps a backup from being forgotten, and says until when', async () => {
    const backend = await make();
    const { id } = await backUp(backend, ['a']);
    const young = await backUp(backend, ['b'], {});
    const options = { owner: ownerOf('f'), minimum: 0 };
    const until = backend.locks.get(manifestKey(id))!.toISOString();
    await expect(forget({ backend, keyring: UNSEALED }, { ...options, ids: [id] })).rejects.toMatchObject({
      code: 'object-locked',
      context: { backup: id, until },
    });
    const report = await forget({ backend, keyring: UNSEALED }, { ...options, rules: { last: 1 } });
    expect(report.forgotten).toEqual([]);
    expect(report.backups).toMatchObject([{ id: young.id }, { id, keep: true, reasons: [`locked until ${until}`] }]);
    age(backend, 41 * DAY);
    expect((await forget({ backend, keyring: UNSEALED }, { ...options, ids: [id] })).forgotten).toEqual([id]);
  });

  test('keeps objects from being pruned, and says how much and until when', async () => {
    const backend = await make();
    const old = await backUp(backend, ['locked']);
    const free = await backUp(backend, ['free'], {});
    await backUp(backend, ['kept']);
    backend.locks.delete(manifestKey(old.id));
    backend.locks.delete(manifestCopyKey(old.id));
    for (const { id } of [old, free]) await dropManifest(backend, id);
    const report = await pruneOn(backend);
    expect(report).toMatchObject({ objects: 1, pieces: 2, locked: { keys: 3 } });
    expect(Date.parse(report.locked.until as string) - Date.now()).toBeGreaterThan(39 * DAY);
    expect(await objectsOf(backend)).toHaveLength(2);
    age(backend, 41 * DAY);
    expect(await pruneOn(backend)).toMatchObject({ objects: 1, pieces: 2, locked: { keys: 0 } });
  });
});
