import { spawn } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { endProcesses, signalProcess } from '../../../../lab/services/end-processes.ts';
import {
  findByEnvironment,
  identify,
  isAlive,
  parseStat,
  type ProcessIdentity,
} from '../../../../lab/services/process-identity.ts';

describe('parseStat', () => {
  const tail = '7 8 9 0 -1 4194304 1 0 0 0 0 0 0 0 20 0 1 0 123456 1000 10';

  it('reads parent and start time, whatever the name of the command', () => {
    expect(parseStat(`42 (a) S b) S ${tail}`)).toEqual({ pid: 42, parent: 7, startTime: 123_456 });
  });

  it('takes a zombie for ended', () => {
    expect(parseStat(`42 (java) Z ${tail}`)).toBeUndefined();
  });

  it('takes a torn line for ended', () => {
    expect(parseStat('42 (java) S 1 2')).toBeUndefined();
  });
});

describe('a process that was started', () => {
  async function withSleeper(task: (sleeper: ProcessIdentity, mark: string) => Promise<void>): Promise<void> {
    const mark = `mark-${process.pid}-${Math.random()}`;
    const argv = ['-e', "process.on('SIGTERM', () => {}); console.log('on'); setInterval(() => {}, 1000)"];
    const child = spawn(process.execPath, argv, {
      env: { SKEP_TEST_MARK: mark },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    try {
      await new Promise((resolve) => child.stdout.once('data', resolve));
      await task((await identify(child.pid as number)) as ProcessIdentity, mark);
    } finally {
      child.kill('SIGKILL');
    }
  }

  it('is found by its environment', async () => {
    await withSleeper(async (sleeper, mark) => {
      expect(await findByEnvironment('SKEP_TEST_MARK', mark)).toEqual([sleeper]);
      expect(await findByEnvironment('SKEP_TEST_MARK', `${mark}x`)).toEqual([]);
    });
  });

  it('is killed when it does not heed SIGTERM', async () => {
    await withSleeper(async (sleeper) => {
      await endProcesses([sleeper], 100);
      expect(await isAlive(sleeper)).toBe(false);
    });
  });

  it('is left alone when it only has the pid of the one that is meant', async () => {
    await withSleeper(async (sleeper) => {
      const other = { pid: sleeper.pid, startTime: sleeper.startTime - 1 };
      expect(await isAlive(other)).toBe(false);
      expect(await signalProcess(other, 'SIGKILL')).toBe(false);
      expect(await isAlive(sleeper)).toBe(true);
    });
  });
});
