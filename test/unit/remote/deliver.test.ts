import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmod, mkdir, readdir, readFile, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import type { ClusterConfig, NodeConfig } from '../../../src/config/schema.ts';
import { openAgent, sourceCommand } from '../../../src/remote/agent-client.ts';
import { folderFailure } from '../../../src/remote/deliver.ts';
import { quoteAll } from '../../../src/remote/quote.ts';
import { localCluster } from '../support/cluster.ts';
import { temporaryFolder } from '../support/folder.ts';

vi.setConfig({ testTimeout: 60_000 });

/** Whether this user may mount in a namespace of its own. */
const MOUNTS = spawnSync('unshare', ['--mount', 'mount', '-t', 'tmpfs', 'none', '/tmp']).status === 0;

const OTHER = process.arch === 'x64' ? 'arm64' : 'x64';

/** A node behind `via`, and skep's executable for it: a script that runs the source, and is longer than `size`. */
async function nodeWithout(size = 0): Promise<{
  root: string;
  folder: string;
  name: string;
  cluster: ClusterConfig;
  node: NodeConfig;
}> {
  const root = await temporaryFolder();
  const text = `#!/bin/sh\nexec ${quoteAll(sourceCommand())}\n${'#'.repeat(size)}`;
  const executable = join(root, `skep-${process.arch}`);
  await writeFile(executable, text);
  const { cluster, node } = localCluster();
  const folder = join(root, 'there', 'agents');
  return {
    root,
    folder,
    name: `skep-${createHash('sha256').update(text).digest('hex')}`,
    cluster: { ...cluster, agent: { ...cluster.agent, executable: join(root, 'skep-{arch}'), folder } },
    node: { ...node, transport: 'command', via: ['env', 'THERE={node}'] },
  };
}

async function talk(n: { cluster: ClusterConfig; node: NodeConfig }): Promise<string> {
  const agent = await openAgent(n.node, n.cluster);
  onTestFinished(() => agent.close());
  const { stdout } = await agent.call('node.run', { argv: ['sh', '-c', 'echo $THERE'], timeoutMs: 10_000 });
  await agent.close();
  return stdout.trim();
}

describe('a node without an agent', () => {
  test('is given it once, and runs it behind the prefix of the command transport', async () => {
    const n = await nodeWithout();
    await expect(talk(n)).resolves.toBe('n1');
    expect(await readdir(n.folder)).toEqual([n.name]);
    const first = await stat(join(n.folder, n.name));
    expect(first.mode & 0o777).toBe(0o700);
    await expect(talk(n)).resolves.toBe('n1');
    expect((await stat(join(n.folder, n.name))).ino).toBe(first.ino);
  });

  test('is given it anew when what is there is not what was copied', async () => {
    const n = await nodeWithout();
    await mkdir(n.folder, { recursive: true });
    await writeFile(join(n.folder, n.name), '#!/bin/sh\nexit 7\n', { mode: 0o700 });
    await expect(talk(n)).resolves.toBe('n1');
    expect(await readFile(join(n.folder, n.name), 'utf8')).toContain('main.ts');
  });

  test('loses agents and cut-off copies that nobody has used for long', async () => {
    const n = await nodeWithout();
    await mkdir(n.folder, { recursive: true });
    const old = (Date.now() - 40 * 86_400_000) / 1000;
    for (const name of ['skep-old', '.part.old', 'skep-young', 'something']) {
      await writeFile(join(n.folder, name), '');
      if (name !== 'skep-young') await utimes(join(n.folder, name), old, old);
    }
    await talk(n);
    expect((await readdir(n.folder)).sort()).toEqual([n.name, 'skep-young', 'something'].sort());
  });

  test('whose architecture has no executable is told', async () => {
    const n = await nodeWithout();
    const bin = join(n.root, 'bin');
    await mkdir(bin);
    await writeFile(join(bin, 'uname'), `#!/bin/sh\necho ${OTHER === 'x64' ? 'x86_64' : 'aarch64'}\n`);
    await chmod(join(bin, 'uname'), 0o755);
    const node = { ...n.node, via: ['env', `PATH=${bin}:${process.env['PATH']}`] };
    await expect(openAgent(node, n.cluster)).rejects.toMatchObject({
      code: 'agent-failed',
      message: `there is no executable of skep for n1, which is ${OTHER}`,
      hint: expect.stringContaining('make dist'),
    });
  });

  test('which cannot keep it is told why, and nothing is left there', async () => {
    const n = await nodeWithout();
    await writeFile(join(n.root, 'there'), 'a file');
    await expect(openAgent(n.node, n.cluster)).rejects.toMatchObject({
      code: 'agent-failed',
      message: expect.stringMatching(/^\S+ cannot keep the agent in .*agents on n1: mkdir: .*Not a directory$/),
      hint: expect.stringContaining('agent.folder'),
      context: { node: 'n1', folder: n.folder },
    });
  });

  test.each([['mkdir: cannot create directory ‘/var/lib/skep’: Permission denied'], ['it belongs to somebody else']])(
    'in a folder that only root can make is told what root has to run: %s',
    (why) => {
      const stderr = `Welcome\n${why}\nskep: operator cannot keep it in /var/lib/skep\n`;
      expect(folderFailure('n1', 94, stderr)).toMatchObject({
        code: 'agent-failed',
        message: `operator cannot keep the agent in /var/lib/skep on n1: ${why}`,
        hint: expect.stringContaining('as root: `install -d -o operator -m 755 /var/lib/skep`'),
      });
      expect(folderFailure('n1', 1, stderr)).toBeUndefined();
    },
  );

  describe.runIf(MOUNTS)('on a file system of its own', () => {
    const mounted = (n: { node: NodeConfig; folder: string }, options: string): NodeConfig => {
      const script = `mkdir -p "$0" && mount -t tmpfs -o ${options} none "$0" && exec "$@"`;
      return { ...n.node, via: ['unshare', '--mount', 'sh', '-c', script, n.folder] };
    };

    test('that is full is told with its folder', async () => {
      const n = await nodeWithout(100_000);
      await expect(openAgent(mounted(n, 'size=16k'), n.cluster)).rejects.toMatchObject({
        code: 'no-space',
        exitCode: 13,
        message: expect.stringMatching(/room for the agent in \S+agents on n1: .*No space left on device$/),
        hint: expect.stringContaining('160 MB'),
        context: { node: 'n1', folder: n.folder },
      });
    });

    test('that is read-only is told', async () => {
      const n = await nodeWithout();
      await expect(openAgent(mounted(n, 'ro'), n.cluster)).rejects.toMatchObject({
        code: 'agent-failed',
        message: expect.stringMatching(/cannot keep the agent in \S+agents on n1: .*Read-only file system$/),
        hint: expect.stringContaining('can be written'),
      });
    });
  });

  test('to which a copy comes damaged does not keep it', async () => {
    const n = await nodeWithout();
    // The line loses the last byte of what is sent; the first word of the script is enough to tell it from the start.
    const lossy = 'case "$3" in *mktemp*) head -c -1 | "$@" ;; *) exec "$@" ;; esac';
    const node = { ...n.node, via: ['sh', '-c', lossy, 'line'] };
    await expect(openAgent(node, n.cluster)).rejects.toMatchObject({
      code: 'agent-failed',
      message: expect.stringContaining('arrived damaged'),
    });
    expect(await readdir(n.folder)).toEqual([]);
  });
});

test('an executable that is not on this machine is told before anything is started', async () => {
  const n = await nodeWithout();
  const cluster = { ...n.cluster, agent: { ...n.cluster.agent, executable: '/none/skep-{arch}' } };
  await expect(openAgent(n.node, cluster)).rejects.toMatchObject({
    code: 'config-invalid',
    message: expect.stringContaining('/none/skep-{arch}'),
  });
});
