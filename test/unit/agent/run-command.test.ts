import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { runCommand } from '../../../src/agent/run-command.ts';
import { temporaryFolder } from '../support/folder.ts';

const never = new AbortController().signal;
const sh = (script: string) => ['sh', '-c', script];

async function isGone(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
  return stat === undefined || / Z /.test(stat);
}

describe('a command on a node', () => {
  test('gives its exit code and both outputs, without the newline at their end', async () => {
    expect(await runCommand(sh('echo out; echo err >&2; exit 3'), { signal: never })).toEqual({
      exitCode: 3,
      stdout: 'out',
      stderr: 'err',
    });
  });

  test('that cannot be run, or was killed, is an error', async () => {
    const absent = runCommand(['/no/such/file'], { signal: never });
    await expect(absent).rejects.toMatchObject({ code: 'command-failed', message: expect.stringContaining('ENOENT') });
    const killed = runCommand(sh('kill -9 $$'), { signal: never });
    await expect(killed).rejects.toMatchObject({ code: 'command-failed', message: expect.stringContaining('SIGKILL') });
  });

  test('keeps the end of an output that is too long', async () => {
    const { stdout } = await runCommand(sh('yes | head -c 9000000; echo last'), { signal: never });
    expect(stdout.length).toBeLessThan(5_000_000);
    expect(stdout.endsWith('last')).toBe(true);
  });

  test('tells lines as they come', async () => {
    const lines: string[] = [];
    const done = await runCommand(sh('echo a; echo b; echo c >&2'), { signal: never, onLine: (l) => lines.push(l) });
    expect(lines.sort()).toEqual(['a', 'b', 'c']);
    expect(done).toEqual({ exitCode: 0, stdout: '', stderr: '' });
  });

  test.each(['cancelled', 'late'])('that is %s ends with all that it has started', async (how) => {
    const file = join(await temporaryFolder(), 'pid');
    const stop = new AbortController();
    const options = how === 'late' ? { signal: never, timeoutMs: 1_000 } : { signal: stop.signal };
    const work = runCommand(sh(`sh -c 'echo $$ > ${file}; sleep 1000' & wait`), options);
    const failure = expect(work).rejects.toMatchObject({ code: how === 'late' ? 'command-failed' : 'cancelled' });
    await expect.poll(() => readFile(file, 'utf8').catch(() => '')).toMatch(/\d+\n/);
    const pid = Number(await readFile(file, 'utf8'));
    stop.abort();
    await failure;
    await expect.poll(() => isGone(pid)).toBe(true);
  });

  test('that leaves a daemon behind, which holds its output, has ended all the same', async () => {
    const file = join(await temporaryFolder(), 'pid');
    const done = await runCommand(sh(`setsid sh -c 'echo $$ > ${file}; sleep 1000' & echo started`), { signal: never });
    const pid = Number(await readFile(file, 'utf8'));
    try {
      expect(done).toMatchObject({ exitCode: 0, stdout: 'started' });
      expect(await isGone(pid)).toBe(false);
    } finally {
      process.kill(-pid, 'SIGKILL');
    }
  });
});
