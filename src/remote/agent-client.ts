import { isSea } from 'node:sea';
import { forNode } from '../config/load.ts';
import type { ClusterConfig, NodeConfig } from '../config/schema.ts';
import type { RelayServer } from '../repository/index.ts';
import { type AgentProcess, AgentWanted, startAgent } from './agent-process.ts';
import { asUser, type Store, usersOn } from './become.ts';
import { deliver, type Executables, findExecutables, startCommand } from './deliver.ts';
import { shareConnection } from './shared-connection.ts';
import { type Transport, transportTo } from './transport.ts';

/** What skep has running on one node: an agent as who logs in, and with `become` one for the user of each store. */
export interface Agent extends AgentProcess {
  /** The agent that works with the files of a store. */
  as(store: Store): AgentProcess;
}

export interface OpenOptions {
  signal?: AbortSignal | undefined;
  /** Its niceness, and that of all that it runs: not for whoever starts servers. */
  nice?: number | undefined;
  /** See `Start.relay`: each agent has its own. */
  relay?: ((node: string) => Promise<RelayServer>) | undefined;
}

/** How skep's own source is run as an agent under this Node, for those that run from it. */
export function sourceCommand(): string[] {
  return [process.execPath, new URL('../agent/main.ts', import.meta.url).pathname];
}

/**
 * Starts the agents of a node and waits for their greetings. Where the node has no agent of this version it is copied there first.
 * Errors: `ssh-credentials`, `sudo-refused`, `node-unreachable`, `agent-failed`, `no-space`, `protocol-error`.
 */
export async function openAgent(node: NodeConfig, cluster: ClusterConfig, opts: OpenOptions = {}): Promise<Agent> {
  if (cluster.agent.become === 'none') {
    const login = await (await starter(node, cluster, transportTo(node, cluster), opts))();
    return { ...login, as: () => login };
  }
  const shared = node.transport === 'ssh' ? await shareConnection(node, cluster.ssh) : undefined;
  try {
    const agent = await openForStores(node, cluster, transportTo(node, cluster, shared), opts);
    const close = async () => {
      await agent.close();
      await shared?.end();
    };
    return { ...agent, close };
  } catch (e) {
    await shared?.end();
    throw e;
  }
}

/** The one of who logs in goes first: its session makes the connection that the others share. */
async function openForStores(
  node: NodeConfig,
  cluster: ClusterConfig,
  transport: Transport,
  opts: OpenOptions,
): Promise<Agent> {
  const start = await starter(node, cluster, transport, opts);
  const login = await start();
  const { users } = cluster.agent;
  const opened = await Promise.allSettled(
    usersOn(node, cluster).map(async (user) => [user, await start(user)] as const),
  );
  const agents = new Map(opened.flatMap((r) => (r.status === 'fulfilled' ? [r.value] : [])));
  const close = async () => {
    await Promise.all([login, ...agents.values()].map((a) => a.close()));
  };
  const failed = opened.find((r) => r.status === 'rejected');
  if (failed) {
    await close();
    throw failed.reason;
  }
  return { ...login, as: (store) => agents.get(users[store] ?? '') ?? login, close };
}

/** Starts agents on a node, as who logs in or as another user. */
async function starter(
  node: NodeConfig,
  cluster: ClusterConfig,
  transport: Transport,
  { signal, nice = 0, relay }: OpenOptions,
): Promise<(user?: string) => Promise<AgentProcess>> {
  const { command, folder, become } = cluster.agent;
  const before = (user: string | undefined) => [...niced(nice), ...(user === undefined ? [] : asUser(user))];
  const executables = await toDeliver(node, cluster);
  if (!executables) {
    const there = forNode(command ?? ownCommand(), node.name);
    return (user) => startAgent({ node, transport, command: [...before(user), ...there], user, signal, relay });
  }
  const place = { folder, forOthers: become === 'sudo' };
  const run = (user: string | undefined) =>
    startAgent({ node, transport, command: startCommand(executables, place, before(user)), user, signal, relay });
  return async (user) => {
    try {
      return await run(user);
    } catch (e) {
      if (!(e instanceof AgentWanted)) throw e;
      await deliver({ node: node.name, transport, arch: e.arch }, executables, place, signal);
      return run(user);
    }
  };
}

/** In front of sudo, which hands it on: sudoers need not know of it. */
function niced(nice: number): string[] {
  return nice === 0 ? [] : ['nice', '-n', String(nice)];
}

/** What is copied to nodes; undefined where an agent is there without it. */
export async function toDeliver(node: NodeConfig, cluster: ClusterConfig): Promise<Executables | undefined> {
  const { command, executable } = cluster.agent;
  if (command || (node.transport === 'local' && !executable)) return undefined;
  const pattern = executable ?? (isSea() ? process.execPath : undefined);
  return pattern === undefined ? undefined : executablesAt(pattern);
}

const known = new Map<string, Promise<Executables>>();

/** Read once in a run: every node has the same. */
function executablesAt(pattern: string): Promise<Executables> {
  const found = known.get(pattern) ?? findExecutables(pattern);
  known.set(pattern, found);
  return found;
}

export function ownCommand(): string[] {
  return isSea() ? [process.execPath, 'agent'] : sourceCommand();
}
