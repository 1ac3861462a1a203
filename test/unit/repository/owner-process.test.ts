import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, onTestFinished, test } from 'vitest';
import { isGone, processMark } from '../../../src/repository/lease/owner-process.ts';

async function sleeper(): Promise<{ mark: string | undefined; end: () => Promise<unknown> }> {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' });
  onTestFinished(() => void child.kill('SIGKILL'));
  await once(child, 'spawn');
  const ended = once(child, 'exit');
  return { mark: processMark(child.pid), end: () => (child.kill('SIGKILL'), ended) };
}

test('a process that runs is not gone; one that was killed is', async () => {
  expect(isGone(processMark())).toBe(false);
  const { mark, end } = await sleeper();
  expect(isGone(mark)).toBe(false);
  await end();
  expect(isGone(mark)).toBe(true);
});

test('a later process with the same pid is not taken for it', () => {
  expect(isGone(processMark()?.replace(/\d+$/, '1'))).toBe(true);
});

test('of a process of another namespace or another boot, or of none, nothing is known', () => {
  const mark = processMark() ?? '';
  expect(mark).toMatch(/^[0-9a-f-]{36}\/pid:\[\d+\]\/\d+\/\d+$/);
  const other = mark.replace(/\d+$/, '1');
  for (const unknown of [
    other.replace(/\[\d+\]/, '[1]'),
    other.replace(/^[0-9a-f]{8}/, '00000000'),
    'x',
    '',
    undefined,
  ]) {
    expect(isGone(unknown), unknown).toBe(false);
  }
});
