import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { KnownFolders } from '../../../../src/drivers/files/known-folders.ts';
import { PIN_FOLDER, walkInGroups } from '../../../../src/drivers/files/walk.ts';
import { temporaryFolder } from '../../support/folder.ts';

/** Longer than the tick of a clock. */
const REST_MS = 150;

async function scene() {
  const root = await temporaryFolder();
  const at = (...path: string[]) => join(root, ...path);
  for (const folder of [PIN_FOLDER, 'attachment', 'other/inner']) await mkdir(at(folder), { recursive: true });
  for (const file of ['attachment/a', 'attachment/b', 'other/inner/c']) await writeFile(at(file), '');
  const known = new KnownFolders(root, at(PIN_FOLDER));
  const walk = async (onlySure = true) => {
    known.begin(onlySure);
    const files: string[] = [];
    for await (const group of walkInGroups(root, '', known)) files.push(...group);
    return files.sort();
  };
  return { root, at, known, walk };
}

const ALL = ['attachment/a', 'attachment/b', 'other/inner/c'];

test('a folder that has not changed since it was walked is not walked again', async () => {
  const { walk } = await scene();
  await delay(REST_MS);
  expect(await walk()).toEqual(ALL);
  // Only the folder in which the clock was asked, the root's, has changed.
  expect(await walk()).toEqual([]);
  expect(await walk(false)).toEqual([]);
});

test('what comes to any folder is seen, also in one below a folder that has not changed', async () => {
  const { at, walk } = await scene();
  await delay(REST_MS);
  await walk();
  await writeFile(at('attachment', 'd'), '');
  expect(await walk()).toEqual(['attachment/a', 'attachment/b', 'attachment/d']);
  await delay(REST_MS);
  await walk();
  await writeFile(at('other', 'inner', 'e'), '');
  expect(await walk()).toEqual(['other/inner/c', 'other/inner/e']);
  await delay(REST_MS);
  await walk();
  await mkdir(at('new'));
  await writeFile(at('new', 'f'), '');
  expect(await walk()).toEqual(['new/f']);
});

test('what comes within the tick in which a folder was walked is seen', async () => {
  const { at, walk } = await scene();
  for (let n = 0; n < 30; n++) {
    await writeFile(at('attachment', `x${n}`), '');
    expect(await walk()).toContain(`attachment/x${n}`);
    await writeFile(at('attachment', `y${n}`), '');
    expect(await walk()).toContain(`attachment/y${n}`);
  }
});

test('what comes while a folder is walked is seen by the next walk', async () => {
  const { root, at, known, walk } = await scene();
  await delay(REST_MS);
  known.begin(true);
  for await (const group of walkInGroups(root, '', known)) {
    if (group.includes('attachment/a')) await writeFile(at('attachment', 'late'), '');
  }
  expect(await walk()).toContain('attachment/late');
});

test('a walk that was broken off knows nothing of the folder', async () => {
  const { root, known, walk } = await scene();
  await delay(REST_MS);
  known.begin(true);
  for await (const group of walkInGroups(root, '', known)) if (group.includes('attachment/a')) break;
  expect(await walk()).toContain('attachment/a');
});

test('another folder in the place of one is walked', async () => {
  const { at, walk } = await scene();
  await mkdir(at('replacement'));
  await writeFile(at('replacement', 'r'), '');
  await delay(REST_MS);
  await walk();
  await rm(at('attachment'), { recursive: true });
  await rename(at('replacement'), at('attachment'));
  expect(await walk()).toEqual(['attachment/r']);
});

test('without a clock nothing is taken for known', async () => {
  const { root, at } = await scene();
  const known = new KnownFolders(root, at('no such place'));
  await delay(REST_MS);
  for (let n = 0; n < 2; n++) {
    known.begin(true);
    const files: string[] = [];
    for await (const group of walkInGroups(root, '', known)) files.push(...group);
    expect(files.sort()).toEqual(ALL);
  }
});
