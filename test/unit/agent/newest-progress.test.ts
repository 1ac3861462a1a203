import { expect, test } from 'vitest';
import { newestProgress } from '../../../src/agent/newest-progress.ts';
import type { Progress } from '../../../src/protocol/methods.ts';

const at = (files: number): Progress => ({ files, bytes: 0 });

test('progress that the pipe does not take yet is replaced by newer one, and the newest always comes', async () => {
  const sent: number[] = [];
  let drain!: () => void;
  const { tell, told } = newestProgress((p) => {
    sent.push(p.files);
    return new Promise((resolve) => (drain = resolve));
  });
  for (let n = 1; n <= 1000; n++) tell(at(n));
  expect(sent).toEqual([1]);
  drain();
  await new Promise(setImmediate);
  expect(sent).toEqual([1, 1000]);
  let all = false;
  void told().then(() => (all = true));
  await new Promise(setImmediate);
  expect(all).toBe(false);
  drain();
  await told();
  tell(at(1001));
  expect(sent).toEqual([1, 1000, 1001]);
});

test('nothing to tell is told', async () => {
  await newestProgress(async () => {}).told();
});
