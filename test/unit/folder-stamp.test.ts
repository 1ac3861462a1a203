import { existsSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { cp, link, mkdir, readdir, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, onTestFinished, test } from 'vitest';
import { clockOf, type FolderStamp, isSettled, stampOf } from '../../src/folder-stamp.ts';

const SECOND = 1_000_000_000n;

/** Some folder with a few files, at rest for longer than the clock's tick. */
async function atRest(parent: string) {
  const root = mkdtempSync(join(parent, 'skep-stamp-'));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  const folder = join(root, 'folder');
  await mkdir(folder);
  for (const name of ['a', 'b', 'c']) await writeFile(join(folder, name), name);
  await delay(150);
  return { root, folder, at: (name: string) => join(folder, name) };
}

const CHANGES: Record<string, (s: Awaited<ReturnType<typeof atRest>>) => Promise<unknown>> = {
  'a file is removed': ({ at }) => rm(at('b')),
  'a file is removed, and put back under its name': async ({ root, at }) => {
    await rename(at('b'), join(root, 'b'));
    await rename(join(root, 'b'), at('b'));
  },
  'a file comes': ({ at }) => writeFile(at('d'), ''),
  'a link comes': ({ at }) => link(at('a'), at('d')),
  'a file gets another name': ({ at }) => rename(at('a'), at('d')),
  'a file is removed, and the folder’s time put back': async ({ folder, at }) => {
    const { atime, mtime } = await stat(folder);
    await rm(at('b'));
    await utimes(folder, atime, mtime);
  },
  'another folder is in its place': async ({ root, folder }) => {
    await cp(folder, join(root, 'other'), { recursive: true, preserveTimestamps: true });
    await rename(folder, join(root, 'old'));
    await rename(join(root, 'other'), folder);
  },
};

const PLACES = [tmpdir(), '/dev/shm'].filter((place) => existsSync(place));

describe.each(PLACES)('the stamp of a folder in %s', (place) => {
  test('stays as long as no name comes or goes', async () => {
    const { folder, at } = await atRest(place);
    const before = stampOf(folder);
    await writeFile(at('a'), 'longer than it was');
    await readdir(folder);
    expect(stampOf(folder)).toEqual(before);
    expect(before?.isSure).toBe(true);
  });

  test.each(Object.entries(CHANGES))('is another one when %s', async (_, change) => {
    const scene = await atRest(place);
    const before = stampOf(scene.folder);
    expect(isSettled(before as FolderStamp, clockOf(scene.root))).toBe(true);
    await change(scene);
    expect(stampOf(scene.folder)?.stamp).not.toBe(before?.stamp);
  });

  test('is not settled right after a change, since the next one may come within the same tick', async () => {
    const { root, folder, at } = await atRest(place);
    let quick = 0;
    for (let n = 0; n < 20; n++) {
      await writeFile(at(`x${n}`), '');
      const since = performance.now();
      const settled = isSettled(stampOf(folder) as FolderStamp, clockOf(root));
      if (performance.now() - since > 50) continue;
      quick++;
      expect(settled).toBe(false);
    }
    expect(quick).toBeGreaterThan(0);
  });
});

describe('a stamp', () => {
  const at = (changedNs: bigint): FolderStamp => ({ stamp: '', changedNs, isSure: true });

  test.each([
    ['of a clock that tells less than milliseconds', 5n * SECOND + 7n, 5n * SECOND + SECOND / 5n, true],
    ['of such a clock, a moment ago', 5n * SECOND + 7n, 5n * SECOND + SECOND / 20n, false],
    ['of a clock that may tell each other second only', 4n * SECOND, 6n * SECOND, false],
    ['of such a clock, long ago', 4n * SECOND, 8n * SECOND, true],
    ['of the future', 9n * SECOND + 7n, 5n * SECOND, false],
    ['beside a clock that is not known', 9n * SECOND, undefined, false],
  ])('%s is settled or not', (_, changedNs, nowNs, settled) => {
    expect(isSettled(at(changedNs), nowNs)).toBe(settled);
  });

  test('is not had of what is no folder', async () => {
    const { folder, at } = await atRest(tmpdir());
    expect(stampOf(join(folder, 'gone'))).toBeUndefined();
    expect(stampOf(at('a'))).toBeUndefined();
  });

  test('is judged by the filesystem’s own clock, which leaves nothing behind', async () => {
    const { root, folder } = await atRest(tmpdir());
    expect(clockOf(join(root, 'gone'))).toBeUndefined();
    const before = clockOf(root) as bigint;
    await delay(20);
    expect(clockOf(root) as bigint).toBeGreaterThan(before);
    renameSync(folder, join(root, 'same'));
    expect(await readdir(root)).toEqual(['same']);
  });
});
