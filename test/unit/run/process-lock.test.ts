import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { takeLock } from '../../../src/run/process-lock.ts';

let folder: string;
let file: string;

beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'skep-lock-'));
  file = path.join(folder, 'state', 'restore.lock');
});
afterEach(() => rm(folder, { recursive: true }));

test('a lock is had once, and again when it is released', async () => {
  const first = await takeLock(file);
  if (!('release' in first)) throw new Error('not taken');
  expect(await takeLock(file)).toMatchObject({ holder: { pid: process.pid } });
  await first.release();
  const second = await takeLock(file);
  expect('release' in second).toBe(true);
});

test('a process that has ended holds nothing, also when its pid is used again', async () => {
  await takeLock(file);
  for (const text of [
    JSON.stringify({ pid: process.pid, started: 'another boot 17' }),
    JSON.stringify({ pid: 2 ** 22 + 1, started: 'x' }),
    'torn{',
  ]) {
    await writeFile(file, text);
    expect('release' in (await takeLock(file))).toBe(true);
  }
  expect(await readdir(path.dirname(file))).toEqual(['restore.lock']);
});

test('of many that find a dead holder one gets the lock', async () => {
  await takeLock(file);
  await writeFile(file, 'dead');
  const all = await Promise.all(Array.from({ length: 20 }, () => takeLock(file)));
  expect(all.filter((l) => 'release' in l)).toHaveLength(1);
});

test('who has lost the lock does not release the one of another', async () => {
  const lock = await takeLock(file);
  if (!('release' in lock)) throw new Error('not taken');
  const other = JSON.stringify({ pid: 1, started: 'x' });
  await writeFile(file, other);
  await lock.release();
  expect(await readdir(path.dirname(file))).toEqual(['restore.lock']);
});
