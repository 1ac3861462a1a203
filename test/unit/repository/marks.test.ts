import { hash } from 'node:crypto';
import { chmod, cp, readdir, readFile, rename, rm, stat, truncate, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { zstdDecompressSync } from 'node:zlib';
import { describe, expect, test, vi } from 'vitest';
import { PathBackend } from '../../../src/repository/backend/path/path-backend.ts';
import { areIn, type FolderMarks, takeMarks, unchanged } from '../../../src/repository/folder-marks.ts';
import { objectKey } from '../../../src/repository/format/names.ts';
import type { Manifest } from '../../../src/repository/index.ts';
import { initOnBackend } from '../../../src/repository/repository.ts';
import { backUp, CLUSTER, nextBackupId, publishPart, temporaryFolder, wholePaths } from './support/repository.ts';

vi.setConfig({ testTimeout: 120_000 });

/** Longer than the tick of a clock. */
const REST_MS = 150;
/** In three folders only, so that most leaves of the inventory lie in one of them. */
const FOLDERS = ['5a', '5b', '5c'];
const FILES: Record<string, string> = {};
for (let n = 0; Object.keys(FILES).length < 900; n++) {
  const name = hash('sha256', `content ${n}`);
  if (FOLDERS.includes(name.slice(0, 2))) FILES[name] = `content ${n}`;
}
const NAMES = Object.keys(FILES).sort();
const NAME = NAMES[200] as string;

async function scene() {
  const root = join(await temporaryFolder(), 'repo');
  const backend = new PathBackend(root);
  const repo = await initOnBackend(backend, CLUSTER);
  const first = await backUp(repo, FILES);
  await delay(REST_MS);
  const [part] = first.parts as [Manifest['parts'][number]];
  /** Enough files for folders to be read instead of each object. */
  const many = { ...part, files: 1_000_000 };
  const publish = (marks: FolderMarks, id = idEndingIn('0'), onDamage?: (why: string) => void) =>
    publishPart(repo, id, many, { marks: new Map([[part.inventory, marks]]), ...(onDamage ? { onDamage } : {}) });
  return {
    root,
    backend,
    repo,
    part,
    publish,
    object: (name: string) => join(root, 'objects', name.slice(0, 2), name),
  };
}

/** Such a backup asks for the sizes of what is in folders with that second digit. */
function idEndingIn(digit: string): string {
  for (;;) {
    const id = nextBackupId();
    if (id.endsWith(digit)) return id;
  }
}

const CHANGES: Record<string, (object: string, root: string) => Promise<unknown>> = {
  'removed by hand': (object) => rm(object),
  'removed, and its folder’s time put back': async (object) => {
    const folder = join(object, '..');
    const { atime, mtime } = await stat(folder);
    await rm(object);
    await utimes(folder, atime, mtime);
  },
  'moved into the bin of a sweep': async (object, root) => {
    const bins = new PathBackend(root).bins;
    await bins.open('sweep');
    await bins.take('sweep', [object.slice(root.length + 1)]);
  },
  'lost with its folder': (object) => rm(join(object, '..'), { recursive: true }),
  'not in the folder that is put in the place of its own': async (object) => {
    const folder = join(object, '..');
    await cp(folder, `${folder}-copy`, { recursive: true, preserveTimestamps: true });
    await rm(join(`${folder}-copy`, object.slice(folder.length)));
    await rm(folder, { recursive: true });
    await rename(`${folder}-copy`, folder);
  },
};

describe('a backup that is published with marks from before its first look', () => {
  test('reads no folder that has kept its mark, but those whose sizes are due, and those that have changed', async () => {
    const { backend, repo, part, publish, root } = await scene();
    const marks = await repo.readStored(part, () => {});
    expect(Object.keys(marks)).toEqual(FOLDERS);
    const names = vi.spyOn(backend, 'names');
    const foldersRead = () => new Set(names.mock.calls.splice(0).map(([prefix]) => prefix.slice(8, 10)));
    await publish(marks);
    // The end of the last leaf is not known: it is always looked at.
    expect(foldersRead()).toEqual(new Set(['5c']));
    await publish(marks, idEndingIn('a'));
    expect(foldersRead()).toContain('5a');
    await writeFile(join(root, 'objects', '5b', 'f'.repeat(64)), '');
    await publish(marks);
    expect(foldersRead()).toContain('5b');
  });

  test.each(Object.entries(CHANGES))('is refused when an object was %s after that look', async (_, change) => {
    const { repo, part, publish, object, root } = await scene();
    const marks = await repo.readStored(part, () => {});
    await change(object(NAME), root);
    await expect(publish(marks)).rejects.toMatchObject({ code: 'object-missing' });
    expect(await repo.list()).toHaveLength(1);
  });

  test('relies on the marks alone: with those from after a loss it would not be seen', async () => {
    const { repo, part, publish, object } = await scene();
    const marks = await repo.readStored(part, () => {});
    await rm(object(NAME));
    await delay(REST_MS);
    const late = await repo.readStored(part, () => {});
    expect(late['5a']).not.toBe(marks['5a']);
    expect((await publish(late)).parts).toHaveLength(1);
    await expect(publish(marks)).rejects.toMatchObject({ code: 'object-missing' });
    await expect(publish({})).rejects.toMatchObject({ code: 'object-missing' });
  });

  test('is refused for each of many objects, wherever it is in its leaf', async () => {
    const { backend, repo, part, publish, object } = await scene();
    const marks = await repo.readStored(part, () => {});
    for (const name of NAMES.filter((_, n) => n % 30 === 7)) {
      await rename(object(name), `${object(name)}-away`);
      await expect(publish(marks)).rejects.toMatchObject({
        code: 'object-missing',
        context: { key: objectKey(name, 'raw') },
      });
      await rename(`${object(name)}-away`, object(name));
      await backend.deletePrefix('damaged/');
    }
    await publish(marks);
  });

  test('looks at a folder of which nothing is known, since it had changed within the same tick', async () => {
    const { repo, part, publish, object } = await scene();
    let quick = 0;
    for (const [n, name] of NAMES.filter((one) => one.startsWith('5a'))
      .slice(0, 20)
      .entries()) {
      const since = performance.now();
      await writeFile(object(`5a${String(n).padStart(62, '0')}`), '');
      const marks = await repo.readStored(part, () => {});
      await rm(object(name));
      const isQuick = performance.now() - since < 50;
      quick += isQuick ? 1 : 0;
      if (isQuick) expect(marks['5a']).toBeUndefined();
      await expect(publish(marks)).rejects.toMatchObject({ code: 'object-missing' });
    }
    expect(quick).toBeGreaterThan(0);
  });

  test('asks for sizes where they are due, whatever the marks say', async () => {
    const { repo, part, publish, object } = await scene();
    const marks = await repo.readStored(part, () => {});
    await chmod(object(NAME), 0o600);
    await truncate(object(NAME), 3);
    await expect(publish(marks, idEndingIn('a'))).rejects.toMatchObject({ code: 'object-damaged' });
  });

  test('writes the inventory anew where a leaf is damaged of which no object need be looked at', async () => {
    const { repo, part, publish, root } = await scene();
    const marks = await repo.readStored(part, () => {});
    let damaged = 0;
    for (const entry of await readdir(join(root, 'listings'), { recursive: true, withFileTypes: true })) {
      const path = join(entry.parentPath, entry.name);
      if (!entry.isFile() || !zstdDecompressSync(await readFile(path)).includes(`"inventory","level":0}`)) continue;
      await chmod(path, 0o600);
      await truncate(path, 50);
      damaged++;
    }
    expect(damaged).toBeGreaterThan(5);
    const told: string[] = [];
    const { id } = await publish(marks, undefined, (why) => told.push(why));
    expect(told).toHaveLength(1);
    // Only the number of files, which this test has made up.
    const { findings } = await repo.verify({ level: 'structure', ids: [id] });
    expect(findings.map(({ message }) => message)).toEqual(['the listing has 900 files, the manifest 1000000']);
  });

  test('is not helped by the marks of another inventory', async () => {
    const { repo, part, backend, object } = await scene();
    await rm(object(NAME));
    await delay(REST_MS);
    const marks = new Map([[part.root, await takeMarks(backend)]]);
    const publishing = publishPart(repo, idEndingIn('0'), { ...part, files: 1_000_000 }, { marks });
    await expect(publishing).rejects.toMatchObject({ code: 'object-missing' });
  });
});

describe('the first look', () => {
  test('takes its marks before it looks for anything', async () => {
    const { backend, repo, part } = await scene();
    const order: string[] = [];
    const [marksOf, namesOf] = [backend.marks.bind(backend), backend.names.bind(backend)];
    backend.marks = (prefixes) => (order.push('marks'), marksOf(prefixes));
    backend.names = (prefix) => (order.push('names'), namesOf(prefix));
    expect((await wholePaths(repo, part)).length).toBe(900);
    expect(order.slice(0, 2)).toEqual(['marks', 'names']);
    expect(order.filter((what) => what === 'marks')).toHaveLength(1);
  });
});

describe('marks', () => {
  test('that are not known are no evidence', () => {
    expect([...unchanged({ aa: '1', bb: '1' }, { aa: '1', bb: '2', cc: '3' })]).toEqual(['aa']);
    expect([...unchanged({}, {})]).toEqual([]);
  });

  test.each([
    ['objects/10/a', 'objects/10/b', true],
    ['objects/10/a', 'objects/11/b', true],
    ['objects/10/a', 'objects/12/a', false],
    ['objects/10/a', 'objects/13/a', false],
    ['objects/0f/a', 'objects/10/a', false],
    ['listings/10/a', 'objects/10/a', false],
    ['objects/10/a', 'objects/1', false],
    ['objects/11/a', 'objects/10/a', false],
  ])('tell of what lies from %s to %s only when its folders have kept theirs', (first, end, isIn) => {
    expect(areIn(new Set(['10', '11', '13']), first, end)).toBe(isIn);
  });
});
