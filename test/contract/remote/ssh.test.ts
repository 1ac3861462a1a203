import { execFileSync, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { SshServer } from '../../../lab/services/ssh-server.ts';
import type { ClusterConfig, NodeConfig } from '../../../src/config/schema.ts';
import { type Agent, openAgent, sourceCommand } from '../../../src/remote/agent-client.ts';
import { freeShift } from '../../lab/support/free-shift.ts';
import { localCluster } from '../../unit/support/cluster.ts';
import { temporaryFolder } from '../../unit/support/folder.ts';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 });

/** Whether sudo lets this user become root, as whom the agent of every store then runs. */
const SUDO = spawnSync('sudo', ['-n', '-u', 'root', '--', 'true']).status === 0;

interface Server {
  sshd: SshServer;
  shift: number;
}

async function boot(): Promise<Server> {
  const shift = await freeShift();
  const sshd = await SshServer.boot({
    root: join(tmpdir(), `skep-ssh-${process.pid}-${shift}`),
    shift,
    owner: process.pid,
  });
  return { sshd, shift };
}

let server: Server;
beforeAll(async () => {
  server = await boot();
});
afterAll(() => server.sshd.down());

/** A cluster of one node behind the sshd. */
function over(config: string, become: 'none' | 'sudo' = 'sudo'): { cluster: ClusterConfig; node: NodeConfig } {
  const { cluster, node } = localCluster(sourceCommand());
  const users = { cassandra: 'root', files: 'root', elasticsearch: 'root' };
  return {
    cluster: {
      ...cluster,
      ssh: { ...cluster.ssh, config_file: config },
      agent: { ...cluster.agent, become, users: { ...cluster.agent.users, ...users } },
    },
    node: { ...node, transport: 'ssh' },
  };
}

async function open(config = server.sshd.config, become?: 'none' | 'sudo'): Promise<Agent> {
  const { cluster, node } = over(config, become);
  const agent = await openAgent(node, cluster);
  onTestFinished(() => agent.close());
  return agent;
}

/** A folder for the sockets of shared connections, of this test alone. */
async function sockets(): Promise<string> {
  const folder = await temporaryFolder();
  vi.stubEnv('XDG_RUNTIME_DIR', folder);
  onTestFinished(() => void vi.unstubAllEnvs());
  return folder;
}

async function logins({ sshd }: Server = server): Promise<number> {
  const log = await readFile(join(sshd.root, 'n1', 'ssh', 'sshd.log'), 'utf8');
  return log.split('Accepted publickey').length - 1;
}

/** The processes of sshd for connections, not the one that listens. */
async function connections({ sshd }: Server = server): Promise<number[]> {
  const { stdout } = spawnSync('pgrep', ['-P', String(await sshd.pid())], { encoding: 'utf8' });
  return stdout.trim().split('\n').filter(Boolean).map(Number);
}

/** What a configuration of a server says of its first host, the settings for all hosts put into it. */
function hostN1(config: string): string {
  const [first = ''] = config.split('\n\n');
  const common = config.slice(config.indexOf('Host *')).replace(/^Host \*\n/, '');
  return `${first.trimEnd()}\n${common}`;
}

async function knownAs(name: string, { root }: SshServer): Promise<string> {
  return (await readFile(join(root, 'ssh', 'known_hosts'), 'utf8')).replace(/^n1 /m, `${name} `);
}

const clock = (agent: Agent) => agent.as('cassandra').call('node.clock', {});

describe('ssh', () => {
  test('goes by way of another host where the user has a ProxyJump for that', async () => {
    const jump = await boot();
    onTestFinished(() => jump.sshd.down());
    const folder = await temporaryFolder();
    const via = (await readFile(jump.sshd.config, 'utf8')).replaceAll(/\bn1\b(?!\/)/g, 'jump');
    await writeFile(join(jump.sshd.root, 'ssh', 'known_hosts'), await knownAs('jump', jump.sshd));
    const [jumpHost = '', target = ''] = [via, await readFile(server.sshd.config, 'utf8')].map(hostN1);
    const config = join(folder, 'ssh_config');
    await writeFile(config, `${target}  ProxyJump jump\n\n${jumpHost}`);
    const before = await logins(jump);
    const agent = await open(config, 'none');
    await agent.call('node.clock', {});
    expect(await logins(jump)).toBe(before + 1);
    // A host that is not reached without it.
    await jump.sshd.stop();
    await expect(open(config, 'none')).rejects.toMatchObject({ code: 'node-unreachable', context: { node: 'n1' } });
  });
});

test('a host that takes the connection and says nothing is waited for as long as is configured', async () => {
  const mute = createServer(() => {}).listen(0, '127.0.0.1');
  onTestFinished(() => void mute.close());
  await once(mute, 'listening');
  const { cluster, node } = over(server.sshd.config, 'none');
  const ssh = { ...cluster.ssh, connect_timeout: 25_000, port: (mute.address() as AddressInfo).port };
  const t0 = Date.now();
  await expect(openAgent({ ...node, host: '127.0.0.1' }, { ...cluster, ssh })).rejects.toMatchObject({
    code: 'node-unreachable',
    message: expect.stringContaining('timed out'),
    context: { node: 'n1' },
  });
  expect(Date.now() - t0).toBeGreaterThan(24_000);
});

describe.runIf(SUDO)('the agents of one node', () => {
  test('share one connection, which ends with them', async () => {
    const folder = await sockets();
    const before = await logins();
    const agent = await open();
    await Promise.all([agent.call('node.clock', {}), clock(agent)]);
    expect(await logins()).toBe(before + 1);
    expect(readdirSync(folder)).toHaveLength(1);
    await agent.close();
    expect(readdirSync(folder)).toEqual([]);
    await vi.waitFor(async () => expect(await connections()).toEqual([]), { timeout: 20_000, interval: 100 });
  });

  test('go through the connection that the user’s own configuration shares', async () => {
    const [folder, own] = [await sockets(), join(await temporaryFolder(), 'own')];
    const config = join(await temporaryFolder(), 'ssh_config');
    const master = `Host *\n  ControlMaster auto\n  ControlPath ${own}\n  ControlPersist 60\n`;
    await writeFile(config, `${await readFile(server.sshd.config, 'utf8')}${master}`);
    const before = await logins();
    const agent = await open(config);
    onTestFinished(() => void execFileSync('ssh', ['-F', config, '-O', 'exit', 'n1'], { stdio: 'ignore' }));
    await clock(agent);
    const t0 = Date.now();
    await agent.close();
    // Not held up by the connection, which stays.
    expect(Date.now() - t0).toBeLessThan(15_000);
    await clock(await open(config));
    expect(await logins()).toBe(before + 1);
    expect(readdirSync(folder)).toEqual([]);
  });

  test('are told of a refused connection, of a wrong key and of a changed host as ever', async () => {
    const folder = await sockets();
    const config = await readFile(server.sshd.config, 'utf8');
    const other = join(await temporaryFolder(), 'ssh_config');
    const with_ = async (change: [string | RegExp, string]) => {
      await writeFile(other, config.replace(...change));
      return openAgent(over(other).node, over(other).cluster);
    };
    await expect(with_([/Port \d+/, 'Port 9'])).rejects.toMatchObject({ code: 'node-unreachable' });
    await expect(with_([/HostKeyAlias n1/, 'HostKeyAlias n2'])).rejects.toMatchObject({ code: 'ssh-credentials' });
    await expect(with_([/IdentityFile .*/, 'IdentityFile /none'])).rejects.toMatchObject({ code: 'ssh-credentials' });
    expect(readdirSync(folder)).toEqual([]);
  });

  test('tell the end of the connection from that of an agent', async () => {
    await sockets();
    const agent = await open();
    const kill = ['sh', '-c', 'kill -9 $PPID; sleep 1'];
    const killed = agent.as('cassandra').call('node.run', { argv: kill, timeoutMs: 60_000 });
    await expect(killed).rejects.toMatchObject({ code: 'agent-failed', context: { node: 'n1' } });
    await agent.call('node.clock', {});
    const running = agent.call('node.run', { argv: ['sleep', '60'], timeoutMs: 60_000 });
    running.catch(() => {});
    for (const pid of await connections()) process.kill(pid, 'SIGKILL');
    await expect(running).rejects.toMatchObject({ code: 'node-unreachable', context: { node: 'n1' } });
  });

  test('do not notice that nothing comes through for five seconds', async () => {
    await sockets();
    const agent = await open();
    const [pid = 0] = await connections();
    process.kill(pid, 'SIGSTOP');
    const asked = clock(agent);
    await delay(5_000);
    process.kill(pid, 'SIGCONT');
    await asked;
    await clock(agent);
  });

  test('are given up when nothing comes through for good, and nothing stays here', async () => {
    const folder = await sockets();
    const agent = await open();
    const [pid = 0] = await connections();
    process.kill(pid, 'SIGSTOP');
    onTestFinished(() => void process.kill(pid, 'SIGKILL'));
    await expect(clock(agent)).rejects.toMatchObject({ code: 'node-unreachable', context: { node: 'n1' } });
    await agent.close();
    expect(readdirSync(folder)).toEqual([]);
    // The connection gives up by itself: its socket was in that folder.
    const ours = () => spawnSync('pgrep', ['-f', folder], { encoding: 'utf8' }).stdout.trim();
    await vi.waitFor(() => expect(ours()).toBe(''), { timeout: 40_000, interval: 500 });
  });
});
