import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { makeFolder } from '../../src/make-folder.ts';

function temporary(): string {
  const folder = mkdtempSync(join(tmpdir(), 'skep-make-folder-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

test('a folder is made with the parents that it lacks, and nothing where it is there', () => {
  const root = temporary();
  const folder = join(root, 'a', 'b');
  expect(makeFolder(folder, 0o700)).toEqual([join(root, 'a'), folder]);
  expect(statSync(join(root, 'a')).mode & 0o777).toBe(0o700);
  expect(makeFolder(folder)).toEqual([]);
  expect(makeFolder(join(folder, 'c'))).toEqual([join(folder, 'c')]);
});

test('a symbolic link to a folder is one', () => {
  const root = temporary();
  mkdirSync(join(root, 'there'));
  symlinkSync(join(root, 'there'), join(root, 'link'));
  expect(makeFolder(join(root, 'link', 'a'))).toEqual([join(root, 'link', 'a')]);
  expect(readdirSync(join(root, 'there'))).toEqual(['a']);
});

test.each([
  ['where the system makes none below a folder that is there', () => '/proc/none/a', 'ENOENT', '/proc/none'],
  ['below a file', (root: string) => join(root, 'file', 'a'), 'ENOTDIR', undefined],
  ['in the place of a file', (root: string) => join(root, 'file'), 'EEXIST', undefined],
  ['in the place of a link that leads nowhere', (root: string) => join(root, 'nowhere'), 'EEXIST', undefined],
])('%s none is made, and that is said', (_, at, code, path) => {
  const root = temporary();
  writeFileSync(join(root, 'file'), '');
  symlinkSync(join(root, 'absent'), join(root, 'nowhere'));
  expect(() => makeFolder(at(root))).toThrow(expect.objectContaining(path === undefined ? { code } : { code, path }));
});
