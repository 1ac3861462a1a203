import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { parseCluster } from '../../../src/config/load.ts';
import type { ClusterConfig, NodeConfig } from '../../../src/config/schema.ts';
import { openAgent } from '../../../src/remote/agent-client.ts';
import { sudoersCommand, sudoFailure } from '../../../src/remote/become.ts';
import { sudoers } from '../../../src/run/sudoers.ts';
import { minimalConfig } from '../support/cluster.ts';
import { temporaryFolder } from '../support/folder.ts';

vi.setConfig({ testTimeout: 60_000 });

function withSudo(agent: Record<string, unknown> = {}): { cluster: ClusterConfig; node: NodeConfig } {
  const config = minimalConfig();
  const prod = config.clusters['prod'] as Record<string, unknown>;
  prod['agent'] = { become: 'sudo', command: ['/opt/skep', 'agent'], ...agent };
  prod['nodes'] = [
    { name: 'n1', transport: 'local', cassandra: '127.0.0.1', elasticsearch: true, thehive: true },
    { name: 'n2', cassandra: '127.0.0.2' },
  ];
  prod['ssh'] = { user: 'backup' };
  const cluster = parseCluster(stringify(config), { file: 'skep.yaml' });
  return { cluster, node: cluster.nodes[0] as NodeConfig };
}

/** A `sudo` that tells the agent whom it was to become, or refuses one of them; `says` it anyway. */
async function fakeSudo({ refuses = '', says = '' } = {}): Promise<void> {
  const bin = join(await temporaryFolder(), 'bin');
  await mkdir(bin);
  const script = `#!/bin/sh
if [ -n '${says}' ]; then echo '${says}' >&2; fi
if [ "$3" = '${refuses}' ]; then echo 'sudo: a password is required' >&2; exit 1; fi
if [ "$2" != -u ]; then shift 2; exec "$@"; fi
BECAME=$3; export BECAME; shift 4; exec "$@"
`;
  await writeFile(join(bin, 'sudo'), script);
  await chmod(join(bin, 'sudo'), 0o755);
  vi.stubEnv('PATH', `${bin}:${process.env['PATH']}`);
  onTestFinished(() => void vi.unstubAllEnvs());
}

describe('with become: sudo', () => {
  test('there is an agent for the user of each store, and one of who logs in', async () => {
    const { cluster, node } = withSudo({ command: undefined, folder: '/var/tmp/skep' });
    await fakeSudo();
    const agent = await openAgent(node, cluster);
    onTestFinished(() => agent.close());
    const became = async (process: Pick<typeof agent, 'call'>) =>
      (await process.call('node.run', { argv: ['sh', '-c', 'echo $BECAME'], timeoutMs: 10_000 })).stdout.trim();
    expect(await became(agent)).toBe('');
    expect(await became(agent.as('cassandra'))).toBe('cassandra');
    expect(await became(agent.as('files'))).toBe('thehive');
    expect(await became(agent.as('elasticsearch'))).toBe('elasticsearch');
  });

  test('a user that sudo refuses is told, and no agent stays', async () => {
    const { cluster, node } = withSudo({ command: undefined, folder: '/var/tmp/skep' });
    await fakeSudo({ refuses: 'thehive' });
    await expect(openAgent(node, cluster)).rejects.toMatchObject({
      code: 'sudo-refused',
      exitCode: 12,
      message: 'sudo on n1 does not let skep become thehive: sudo: a password is required',
      hint: expect.stringContaining('skep init --sudoers'),
      context: { node: 'n1', user: 'thehive' },
    });
  });

  test('an agent that dies later is not taken for a refusal, whatever was said when sudo let it in', async () => {
    const { cluster, node } = withSudo({ command: undefined, folder: '/var/tmp/skep' });
    await fakeSudo({ says: 'sudo: a password is required' });
    const agent = await openAgent(node, cluster);
    onTestFinished(() => agent.close());
    const kill = ['sh', '-c', 'kill -9 $PPID; sleep 1'];
    const running = agent.as('cassandra').call('node.run', { argv: kill, timeoutMs: 60_000 });
    await expect(running).rejects.toMatchObject({ code: 'agent-failed', context: { node: 'n1' } });
  });

  test('the folder of the agents must be named', () => {
    expect(() => withSudo({ command: undefined })).toThrow(/agent\.folder/);
  });
});

describe('what sudo says', () => {
  // As sudo 1.9 prints it.
  test.each([
    'sudo: a password is required',
    'backup is not in the sudoers file.',
    'Sorry, user backup is not allowed to execute /opt/skep agent as cassandra on n1.',
    'sudo: unknown user cassandra',
    'Sorry, user backup may not run sudo on n1.',
    'backup is not allowed to run sudo on n1.  This incident will be reported.',
    'sudo: sorry, you must have a tty to run sudo',
    'sudo: no tty present and no askpass program specified',
    'sudo: a terminal is required to read the password; either use the -S option or configure an askpass helper',
    'sudo: account validation failure, is your account locked?',
    'sudo: Account expired or PAM config lacks an "account" section for sudo, contact your system administrator',
    'sudo: PAM account management error: Permission denied',
    'sudo: no valid sudoers sources found, quitting',
    'sudo: /usr/bin/sudo must be owned by uid 0 and have the setuid bit set',
    'sudo: /opt/skep: command not found',
    'sh: 1: exec: sudo: not found',
    'bash: line 1: sudo: command not found',
    "nice: 'sudo': No such file or directory",
    // As sudo-rs prints it.
    'sudo: interactive authentication is required',
    "sudo: I'm sorry backup. I'm afraid I can't do that",
  ])('%s', (words) => {
    expect(sudoFailure('n1', 'cassandra', `something\n${words}\n`)).toMatchObject({ code: 'sudo-refused' });
  });

  test('is told from the words of others', () => {
    expect(sudoFailure('n1', 'cassandra', 'sh: 1: sudoku: not found')).toBeUndefined();
  });

  test.each([
    'sudo: unable to resolve host n1: Name or service not known',
    'sudo: setrlimit(RLIMIT_CORE): Operation not permitted',
    'sudo: unable to send audit message: Operation not permitted',
    'sudo: /etc/sudo.conf is group writable',
  ])('and goes on is no refusal: %s', (words) => {
    expect(sudoFailure('n1', 'cassandra', `${words}\nKilled\n`)).toBeUndefined();
  });
});

describe('the lines of sudoers', () => {
  test('have the name of the node where a command of a service has it', async () => {
    const { cluster } = withSudo();
    cluster.thehive.service.stop = ['/opt/{node}/thehive', 'stop'];
    const [n1] = await sudoers(cluster);
    expect(n1?.lines.at(-1)).toContain('/opt/n1/thehive stop');
  });

  test('let who logs in become the users of the stores for the agent, and start and stop services', async () => {
    const { cluster } = withSudo({ users: { files: 'cassandra' } });
    expect(await sudoers(cluster)).toEqual([
      {
        node: 'n1',
        lines: [
          expect.stringMatching(/^\S+ ALL=\(cassandra\) NOPASSWD: \/opt\/skep agent$/),
          expect.stringMatching(/^\S+ ALL=\(elasticsearch\) NOPASSWD: \/opt\/skep agent$/),
          expect.stringMatching(
            /^\S+ ALL=\(root\) NOPASSWD: \/usr\/bin\/systemctl stop cassandra, \/usr\/bin\/systemctl start cassandra, .*thehive$/,
          ),
        ],
      },
      {
        node: 'n2',
        lines: [
          'backup ALL=(cassandra) NOPASSWD: /opt/skep agent',
          'backup ALL=(root) NOPASSWD: /usr/bin/systemctl stop cassandra, /usr/bin/systemctl start cassandra',
        ],
      },
    ]);
  });

  test('name an agent that is copied by its hash', async () => {
    const executable = join(await temporaryFolder(), `skep-${process.arch}`);
    await writeFile(executable, 'skep');
    const { cluster } = withSudo({ command: undefined, folder: '/var/tmp/skep', executable });
    const [, n2] = await sudoers(cluster);
    expect(n2?.lines[0]).toMatch(
      new RegExp(`^backup ALL=\\(cassandra\\) NOPASSWD: sha256:([0-9a-f]{64}) /var/tmp/skep/skep-\\1 agent$`),
    );
    // Whoever logs in cannot make a folder in /var.
    expect(n2?.folder).toBe('install -d -o backup -m 755 /var/tmp/skep');
  });

  test('are not broken by what has a meaning there', () => {
    expect(sudoersCommand(['/a b', 'x,y', 'k=v', '*'])).toBe('/a\\ b x\\,y k\\=v \\*');
  });
});
