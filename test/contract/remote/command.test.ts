// The transport `command` through what containers are made of: namespaces and a root of their own.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readlinkSync, realpathSync } from 'node:fs';
import { mkdir, readdir, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import type { ClusterConfig, NodeConfig } from '../../../src/config/schema.ts';
import { type Agent, openAgent, sourceCommand } from '../../../src/remote/agent-client.ts';
import { quoteAll } from '../../../src/remote/quote.ts';
import { localCluster } from '../../unit/support/cluster.ts';
import { temporaryFolder } from '../../unit/support/folder.ts';

vi.setConfig({ testTimeout: 60_000 });

const NAMESPACES = ['unshare', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc'];
const ALLOWED = spawnSync('unshare', [...NAMESPACES.slice(1), 'chroot', '/', 'true']).status === 0;

/** A node behind `via` that skep's executable, a script that runs the source, is copied to. */
async function nodeBehind(
  via: readonly string[],
  folder: string,
): Promise<{ name: string; cluster: ClusterConfig; node: NodeConfig }> {
  const text = `#!/bin/sh\nexec ${quoteAll(sourceCommand())}\n`;
  const executable = join(await temporaryFolder(), 'skep');
  await writeFile(executable, text, { mode: 0o755 });
  const { cluster, node } = localCluster();
  return {
    name: `skep-${createHash('sha256').update(text).digest('hex')}`,
    cluster: { ...cluster, agent: { ...cluster.agent, executable, folder } },
    node: { ...node, transport: 'command', via: [...via] },
  };
}

async function open(n: { cluster: ClusterConfig; node: NodeConfig }): Promise<Agent> {
  const agent = await openAgent(n.node, n.cluster);
  onTestFinished(() => agent.close());
  return agent;
}

async function says(agent: Agent, ...argv: string[]): Promise<string> {
  return (await agent.call('node.run', { argv, timeoutMs: 10_000 })).stdout.trim();
}

describe.runIf(ALLOWED)('an agent behind a command', () => {
  test('works in the namespaces that it enters, and leaves with them', async () => {
    const folder = join(await temporaryFolder(), 'agents');
    const n = await nodeBehind(NAMESPACES, folder);
    const agent = await open(n);
    const there = await says(agent, 'readlink', '/proc/self/ns/pid');
    expect(there).toMatch(/^pid:\[\d+\]$/);
    expect(there).not.toBe(readlinkSync('/proc/self/ns/pid'));
    expect(await says(agent, 'sh', '-c', 'echo $PPID')).toBe('1');
    expect(await readdir(folder)).toEqual([n.name]);
    await agent.close();
    // Nothing of it runs any more: its first process was the agent.
    const { stdout } = spawnSync('lsns', ['--noheadings', '-t', 'pid', '-o', 'NS'], { encoding: 'utf8' });
    expect(stdout.split('\n').map((ns) => ns.trim())).not.toContain(/\d+/.exec(there)?.[0]);
  });

  test('works in a root of its own: what is copied there, and what it looks at, is in that', async () => {
    const root = await rootFolder();
    const n = await nodeBehind(root.via, '/var/lib/skep');
    await writeFile(join(root.path, 'marker'), 'inside');
    const agent = await open(n);
    expect(await says(agent, 'cat', '/marker')).toBe('inside');
    expect(await readdir(join(root.path, 'var', 'lib', 'skep'))).toEqual([n.name]);
    const { space, user } = await agent.call('node.facts', { paths: ['/marker', root.path] });
    // There is no /etc/passwd.
    expect(user).toBe(`user ${process.getuid?.()}`);
    expect(space.map((s) => s.exists)).toEqual([true, false]);
    await agent.close();
    // The second start finds what the first has brought.
    expect(await says(await open(n), 'cat', '/marker')).toBe('inside');
  });

  test('that is killed there is a dead agent, not a node that is away', async () => {
    const agent = await open(await nodeBehind((await rootFolder()).via, '/var/lib/skep'));
    const running = agent.call('node.run', { argv: ['sh', '-c', 'kill -9 $PPID; sleep 1'], timeoutMs: 60_000 });
    await expect(running).rejects.toMatchObject({ code: 'agent-failed', context: { node: 'n1' } });
  });
});

/** A root with this system's programs, this Node and this source in it, and the command that goes there. */
async function rootFolder(): Promise<{ path: string; via: string[] }> {
  const path = await temporaryFolder();
  const project = realpathSync(join(import.meta.dirname, '..', '..', '..'));
  const modules = join(project, 'node_modules');
  const shown = ['/usr', '/proc', '/dev', project, realpathSync(modules), dirname(realpathSync(process.execPath))];
  for (const folder of [...shown, '/tmp', '/root']) await mkdir(join(path, folder), { recursive: true });
  for (const name of ['bin', 'lib', 'lib64']) await symlink(`usr/${name}`, join(path, name));
  // In a mount namespace, so that nothing has to be taken away again.
  const script = `for d in ${quoteAll([...new Set(shown)])}; do mount --rbind "$d" "$0$d" || exit 1; done; exec chroot "$0" "$@"`;
  return { path, via: ['unshare', '--mount', 'sh', '-c', script, path] };
}
