import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { getPriority } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { type Agent, sourceCommand, openAgent } from '../../../src/remote/agent-client.ts';
import { VERSION } from '../../../src/version.ts';
import { localCluster } from '../support/cluster.ts';
import { temporaryFolder } from '../support/folder.ts';

vi.setConfig({ testTimeout: 60_000 });

const SOURCE = join(import.meta.dirname, '..', '..', '..', 'src');

async function open(command?: readonly string[], signal?: AbortSignal): Promise<Agent> {
  const { cluster, node } = localCluster(command);
  const agent = await openAgent(node, cluster, signal ? { signal } : {});
  onTestFinished(() => agent.close());
  return agent;
}

const shell = (script: string) => ['sh', '-c', script];

/** A folder with a commit log of one segment. */
async function commitlog(): Promise<{ root: string; dir: string }> {
  const root = await temporaryFolder();
  const dir = join(root, 'commitlog');
  await mkdir(dir);
  await writeFile(join(dir, 'CommitLog-7-1.log'), 'x');
  return { root, dir };
}

describe('an agent on this machine', () => {
  test.each([0, 10])('is as nice as it is told, %i, with all that it runs', async (nice) => {
    const { cluster, node } = localCluster();
    const agent = await openAgent(node, cluster, { nice });
    onTestFinished(() => agent.close());
    const { stdout } = await agent.call('node.run', { argv: ['nice'], timeoutMs: 10_000 });
    expect(Number(stdout)).toBe(Math.min(19, getPriority() + nice));
  });

  test.runIf(existsSync('/proc/self/autogroup'))(
    'is so nice against other sessions too, with all that it runs',
    async () => {
      const { cluster, node } = localCluster();
      const agent = await openAgent(node, cluster, { nice: 10 });
      onTestFinished(() => agent.close());
      const ofBoth = 'cut -d " " -f 3 /proc/$$/autogroup /proc/$PPID/autogroup';
      const nice = Math.min(19, getPriority() + 10);
      const untilNice = `for i in $(seq 30); do [ "$(${ofBoth} | tr '\\n' ' ')" = '${nice} ${nice} ' ] && break; sleep 0.1; done; ${ofBoth}`;
      const { stdout } = await agent.call('node.run', { argv: ['sh', '-c', untilNice], timeoutMs: 30_000 });
      expect(stdout).toBe(`${nice}\n${nice}`);
    },
  );

  test('is in a process group of its own: Ctrl-C in a terminal does not reach it', async () => {
    const agent = await open();
    const argv = ['sh', '-c', 'echo $PPID; cut -d " " -f 5 /proc/$PPID/stat'];
    const { stdout } = await agent.call('node.run', { argv, timeoutMs: 10_000 });
    const [pid, group] = stdout.split('\n');
    expect(group).toBe(pid);
  });

  test('greets, answers, refuses garbage, and leaves when it is closed', async () => {
    const agent = await open();
    const facts = await agent.call('node.facts', { paths: ['/'] });
    expect(facts).toMatchObject({
      skep: VERSION,
      uid: process.getuid?.(),
      space: [{ path: '/', exists: true, readable: true }],
    });
    await expect(agent.call('node.facts', { paths: ['relative'] })).rejects.toMatchObject({
      code: 'protocol-error',
      message: expect.stringContaining('paths.0'),
      context: { node: 'n1' },
    });
    await expect(
      agent.call('node.run', { argv: ['sh', '-c', 'echo out; echo bad >&2; exit 3'], timeoutMs: 10_000 }),
    ).resolves.toEqual({
      exitCode: 3,
      stdout: expect.stringMatching(/^out\n?$/),
      stderr: expect.stringMatching(/^bad\n?$/),
    });
    await expect(agent.call('node.run', { argv: ['/none'], timeoutMs: 10_000 })).rejects.toMatchObject({
      code: 'command-failed',
    });
    const stop = new AbortController();
    const running = agent.call('node.run', { argv: ['sleep', '60'], timeoutMs: 60_000 }, { signal: stop.signal });
    stop.abort();
    await expect(running).rejects.toMatchObject({ code: 'cancelled' });
    await agent.close();
    await expect(agent.call('node.clock', {})).rejects.toMatchObject({ code: 'cancelled' });
  });

  test('has gone when close resolves, also while something of its own keeps its output open', async () => {
    const { root } = await commitlog();
    const pidFile = join(root, 'pid');
    const [file, ...args] = sourceCommand() as [string, ...string[]];
    // As an ssh master in the background does.
    const agent = await open([...shell(`sleep 300 & echo $! > ${pidFile}; exec "$0" "$@"`), file, ...args]);
    const pid = Number(await readFile(pidFile, 'utf8'));
    onTestFinished(() => void process.kill(pid));
    await agent.call('node.clock', {});
    const t0 = Date.now();
    await agent.close();
    expect(Date.now() - t0).toBeLessThan(15_000);
  });
});

describe('a command that is no agent', () => {
  test('and prints something is a protocol error', async () => {
    await expect(open(shell('echo Welcome to this host; exec sleep 60'))).rejects.toMatchObject({
      code: 'protocol-error',
    });
  });

  test('and ends at once is told with its last words and its exit code', async () => {
    await expect(open(shell('echo first >&2; echo no such thing >&2; exit 7'))).rejects.toMatchObject({
      code: 'agent-failed',
      message: 'the agent on n1 ended: no such thing',
      context: { node: 'n1', exitCode: 7 },
    });
  });

  test('and cannot be run is told', async () => {
    await expect(open(['/none/skep-agent'])).rejects.toMatchObject({
      code: 'agent-failed',
      message: expect.stringContaining('ENOENT'),
    });
  });

  test('and leaves its output open behind it is found out by its exit', async () => {
    const { root } = await commitlog();
    const pidFile = join(root, 'pid');
    onTestFinished(async () => void process.kill(Number(await readFile(pidFile, 'utf8'))));
    await expect(open(shell(`sleep 300 & echo $! > ${pidFile}; exit 4`))).rejects.toMatchObject({
      code: 'agent-failed',
      context: { exitCode: 4 },
    });
  });

  test('of another version is refused', async () => {
    const main = join(SOURCE, 'protocol', 'peer.ts');
    const script = `import { Peer } from ${JSON.stringify(main)}; new Peer({ input: process.stdin, output: process.stdout, version: '0.0.0' });`;
    await expect(open([process.execPath, '--input-type=module', '-e', script])).rejects.toMatchObject({
      code: 'protocol-error',
      message: expect.stringContaining('0.0.0'),
    });
  });

  test('and says nothing for long is a node that does not answer', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'performance'] });
    onTestFinished(() => void vi.useRealTimers());
    const opening = open(shell('echo something waits >&2; exec sleep 300'));
    // Its words come first.
    setTimeout(() => vi.advanceTimersByTime(30_000), 1_000);
    await expect(opening).rejects.toMatchObject({
      code: 'node-unreachable',
      message: 'no agent answers on n1: nothing heard for 18 s; something waits',
      context: { node: 'n1' },
      retryable: true,
    });
  });

  test('and says nothing is given up when the user stops', async () => {
    const stop = new AbortController();
    const opening = open(shell('exec sleep 300'), stop.signal);
    setTimeout(() => stop.abort(), 50);
    await expect(opening).rejects.toMatchObject({ code: 'cancelled' });
    await expect(open(shell('exec sleep 300'), AbortSignal.abort())).rejects.toMatchObject({ code: 'cancelled' });
  });
});

describe('an agent that dies', () => {
  test('fails the calls under way with its last words', async () => {
    const agent = await open();
    const running = agent.call('node.run', { argv: ['sh', '-c', 'kill -9 $PPID; sleep 1'], timeoutMs: 60_000 });
    await expect(running).rejects.toMatchObject({ code: 'agent-failed', context: { node: 'n1' } });
  });
});

describe('a controller that is killed', () => {
  test('leaves an agent that removes its pins, does what it was asked to do on exit, and goes', async () => {
    const { root, dir } = await commitlog();
    const marker = join(root, 'cleared');
    const script = `
      import { openAgent } from ${JSON.stringify(join(SOURCE, 'remote', 'agent-client.ts'))};
      const { cluster, node } = JSON.parse(process.argv[1]);
      const agent = await openAgent(node, cluster);
      await agent.call('node.onExit', { id: 'a', argv: ['touch', ${JSON.stringify(marker)}] });
      await agent.call('pin.start', { run: 'run-1', commitlogDir: ${JSON.stringify(dir)} });
      const { stdout } = await agent.call('node.run', { argv: ['sh', '-c', 'echo $PPID'], timeoutMs: 60000 });
      process.stdout.write(stdout + '\\n');
      setInterval(() => {}, 1000);`;
    const parent = spawn(process.execPath, ['--input-type=module', '-e', script, JSON.stringify(localCluster())], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    onTestFinished(() => void parent.kill('SIGKILL'));
    const [line] = (await once(parent.stdout, 'data')) as [Buffer];
    const agentPid = Number(line.toString());
    expect(await readdir(join(root, 'skep-pins', 'run-1'))).toEqual(['CommitLog-7-1.log']);
    parent.kill('SIGKILL');
    await vi.waitFor(() => expect(() => process.kill(agentPid, 0)).toThrow('ESRCH'), { timeout: 30_000, interval: 50 });
    expect((await readdir(root)).sort()).toEqual(['cleared', 'commitlog']);
  });
});
