import { spawn } from 'node:child_process';
import { mkdir, readlink } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { SkepError } from '../../src/errors.ts';
import { runTool } from '../ground/run-tool.ts';
import type { LabLayout, NodeLayout } from '../layout.ts';
import { identify } from '../services/process-identity.ts';
import { LAB_ID, writeRun } from '../services/spec.ts';
import { type Account, ACCOUNTS, writeAccounts } from './accounts.ts';

/** The switch between the hosts, on the machine of the controller. */
const SWITCH = 'skep0';
const STARTED_MS = 10_000;

/** A machine of its own as far as networks and mounted folders go. */
interface Host {
  /** The process whose namespaces these are; with it, and all that runs there, they go away. */
  pid: number;
}

/**
 * One host for each node of a lab: a network namespace with an address and a loopback of its own, on a switch in the network
 * namespace of this process; a mount namespace with its own homes, accounts and sudoers. Needs root, and should itself run in
 * namespaces of its own (`demo-hosts.ts`): then nothing of the machine is changed, and all is gone with the last process.
 */
export class Hosts {
  readonly #hosts: ReadonlyMap<string, Host>;

  private constructor(hosts: ReadonlyMap<string, Host>) {
    this.#hosts = hosts;
  }

  static async up(layout: LabLayout, labId: string): Promise<Hosts> {
    await mkdir(layout.hosts, { recursive: true });
    const accounts = await writeAccounts(layout);
    for (const [name, file] of Object.entries(accounts)) await runTool(['mount', '--bind', file, `/etc/${name}`]);
    await runTool(['ip', 'link', 'set', 'lo', 'up']);
    await runTool(['ip', 'link', 'add', SWITCH, 'type', 'bridge']);
    await runTool(['ip', 'address', 'add', `${controllerAddress(layout)}/24`, 'dev', SWITCH]);
    await runTool(['ip', 'link', 'set', SWITCH, 'up']);
    const hosts = new Map<string, Host>();
    for (const node of layout.nodes) hosts.set(node.name, await startHost(layout, node, labId));
    return new Hosts(hosts);
  }

  /** What stands in front of a command so that root runs it on a node. */
  enter(node: string): string[] {
    return ['nsenter', '--target', String(this.#host(node).pid), '--net', '--mount', '--'];
  }

  /** The same for another user, with all groups that the user is in. */
  enterAs(node: string, account: Account): string[] {
    return [...this.enter(node), ...become(account)];
  }

  /** Lets a file stand in for one below `/etc` on a node. */
  async replace(node: string, file: string, target: string): Promise<void> {
    await runTool([...this.enter(node), 'mount', '--bind', file, target]);
  }

  #host(node: string): Host {
    const host = this.#hosts.get(node);
    if (host === undefined) throw new SkepError('internal', `no host was started for ${node}`);
    return host;
  }
}

/** What stands in front of a command on the controller's machine so that it runs as that user. */
export function become(account: Account): string[] {
  const id = String(ACCOUNTS[account]);
  return ['setpriv', '--reuid', id, '--regid', id, '--init-groups', '--'];
}

/** Pulls the cable of a node, or plugs it in. */
export async function setLink(node: string, state: 'up' | 'down'): Promise<void> {
  await runTool(['ip', 'link', 'set', cable(node), state]);
}

/** Where the controller is, as the nodes see it. */
export function controllerAddress(layout: LabLayout): string {
  const [first] = layout.nodes as [NodeLayout];
  return first.address.replace(/\d+$/, '254');
}

function cable(node: string): string {
  return `to-${node}`;
}

async function startHost(layout: LabLayout, node: NodeLayout, labId: string): Promise<Host> {
  const argv = ['--net', '--mount', '--propagation', 'private', '--', 'sleep', 'infinity'];
  const child = spawn('unshare', argv, { detached: true, stdio: 'ignore', env: { ...process.env, [LAB_ID]: labId } });
  child.unref();
  const { pid } = child;
  if (pid === undefined) throw new SkepError('command-failed', 'unshare could not be started');
  await ownNamespaces(pid);
  const identity = await identify(pid);
  if (identity === undefined) throw new SkepError('command-failed', `the host of ${node.name} ended at once`);
  await writeRun(layout.root, `${node.name}-host`, identity);
  const enter = ['nsenter', '--target', String(pid), '--net', '--mount', '--'];
  const on = (...argv: string[]): Promise<string> => runTool([...enter, ...argv]);
  await runTool(['ip', 'link', 'add', cable(node.name), 'type', 'veth', 'peer', 'name', 'eth0', 'netns', String(pid)]);
  await runTool(['ip', 'link', 'set', cable(node.name), 'master', SWITCH, 'up']);
  await on('ip', 'link', 'set', 'lo', 'up');
  await on('ip', 'address', 'add', `${node.address}/24`, 'dev', 'eth0');
  await on('ip', 'link', 'set', 'eth0', 'up');
  const homes = path.join(node.root, 'home');
  for (const [name, id] of Object.entries(ACCOUNTS)) {
    await mkdir(path.join(homes, name), { recursive: true, mode: 0o755 });
    await runTool(['chown', `${id}:${id}`, path.join(homes, name)]);
  }
  await on('mount', '--bind', homes, '/home');
  return { pid };
}

/** Waits until the process has left our namespaces: what is done in them before would be done here. */
async function ownNamespaces(pid: number): Promise<void> {
  const kinds = ['net', 'mnt'];
  const ours = await Promise.all(kinds.map((kind) => readlink(`/proc/self/ns/${kind}`)));
  for (const end = Date.now() + STARTED_MS; Date.now() < end; await delay(20)) {
    const theirs = await Promise.all(kinds.map((kind) => readlink(`/proc/${pid}/ns/${kind}`).catch(() => '')));
    if (theirs.every((namespace, i) => namespace !== '' && namespace !== ours[i])) return;
  }
  throw new SkepError('command-failed', 'this machine makes no network namespaces', {
    hint: 'Run it as root, in a container with the capabilities NET_ADMIN and SYS_ADMIN.',
  });
}
