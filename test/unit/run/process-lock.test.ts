import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { takeLock } from '../../../src/run/process-lock.ts';
import { temporaryFolder } from '../support/folder.ts';

const MODULE = new URL('../../../src/run/process-lock.ts', import.meta.url).href;

test('a lock is had once, and again when it is released', async () => {
  const path = join(await temporaryFolder(), 'lock');
  const first = await takeLock(path);
  expect(await takeLock(path)).toEqual({ release: undefined, holder: process.pid });
  await first.release?.();
  const second = await takeLock(path);
  expect(second.release).toBeDefined();
  await second.release?.();
});

test('of many that want it at once one gets it', async () => {
  const path = join(await temporaryFolder(), 'lock');
  const all = await Promise.all(Array.from({ length: 20 }, () => takeLock(path)));
  const holders = all.filter((l) => l.release);
  expect(holders).toHaveLength(1);
  await holders[0]?.release?.();
});

test('a process that was killed holds nothing', async () => {
  const path = join(await temporaryFolder(), 'lock');
  const script = `const { takeLock } = await import(${JSON.stringify(MODULE)});
    await takeLock(${JSON.stringify(path)}); console.log('held'); setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  await once(child.stdout, 'data');
  expect(await takeLock(path)).toEqual({ release: undefined, holder: child.pid });
  child.kill('SIGKILL');
  await once(child, 'exit');
  const own = await takeLock(path);
  expect(own.release).toBeDefined();
  await own.release?.();
});
