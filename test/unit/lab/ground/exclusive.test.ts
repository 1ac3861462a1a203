import { spawn } from 'node:child_process';
import path from 'node:path';
import { expect, it } from 'vitest';
import { exclusive } from '../../../../lab/ground/exclusive.ts';

const module = path.resolve(import.meta.dirname, '../../../../lab/ground/exclusive.ts');

it('lets one caller in at a time', async () => {
  let inside = 0;
  let most = 0;
  const visit = (): Promise<void> =>
    exclusive(`test ${process.pid} a`, async () => {
      inside += 1;
      most = Math.max(most, inside);
      await new Promise((resolve) => setImmediate(resolve));
      inside -= 1;
    });
  await Promise.all([visit(), visit(), visit(), visit()]);
  expect(most).toBe(1);
});

it('gives the lock on after a failure', async () => {
  const key = `test ${process.pid} b`;
  await expect(exclusive(key, () => Promise.reject(new Error('no')))).rejects.toThrow('no');
  expect(await exclusive(key, async () => 'in')).toBe('in');
});

it('is freed by the death of its owner', async () => {
  const key = `test ${process.pid} c`;
  const script = `import { exclusive } from ${JSON.stringify(module)};
    await exclusive(${JSON.stringify(key)}, () => new Promise(() => { setInterval(() => {}, 1000); console.log('in'); }));`;
  const owner = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    await new Promise((resolve) => owner.stdout.once('data', resolve));
    const waiting = new AbortController();
    const kept = exclusive(key, async () => 'in', waiting.signal);
    const soon = Promise.race([kept, new Promise((resolve) => setTimeout(resolve, 300, 'still out'))]);
    expect(await soon).toBe('still out');
    owner.kill('SIGKILL');
    expect(await kept).toBe('in');
  } finally {
    owner.kill('SIGKILL');
  }
});

it('stops waiting when it is told to', async () => {
  const key = `test ${process.pid} d`;
  await exclusive(key, async () => {
    await expect(exclusive(key, async () => 'in', AbortSignal.timeout(50))).rejects.toThrow();
  });
});
