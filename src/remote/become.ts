import { cassandraNodes, forNode } from '../config/load.ts';
import type { AgentConfig, ClusterConfig, NodeConfig } from '../config/schema.ts';
import { SkepError } from '../errors.ts';

/** Whose files an agent works with. */
export const STORES = ['cassandra', 'files', 'elasticsearch', 'config'] as const;
export type Store = (typeof STORES)[number];

/** The stores whose files skep touches on a node. */
export function storesOn(node: NodeConfig, cluster: ClusterConfig): Store[] {
  const there: Record<Store, boolean> = {
    cassandra: cassandraNodes(cluster).some((n) => n.name === node.name),
    files: cluster.files.node === node.name,
    elasticsearch: cluster.elasticsearch.staging.node === node.name,
    config: cluster.config !== undefined,
  };
  return STORES.filter((store) => there[store]);
}

/** The users, other than who logs in, that work with files on a node. */
export function usersOn(node: NodeConfig, cluster: ClusterConfig): string[] {
  const users = storesOn(node, cluster).map((store) => cluster.agent.users[store]);
  return [...new Set(users.filter((user) => user !== undefined))];
}

/** What stands in front of a command so that it runs as that user; sudo never asks for a password. */
export function asUser(user: string): string[] {
  return ['sudo', '-n', '-u', user, '--'];
}

/** The argv of a command that only root may run, such as starting a service. */
export function asRoot(agent: AgentConfig, argv: readonly string[]): string[] {
  return agent.become === 'sudo' ? ['sudo', '-n', '--', ...argv] : [...argv];
}

/**
 * The words with which sudo (also sudo-rs) and whoever was to run it refuse. It says other things too, `unable to resolve host`,
 * and goes on.
 */
const SUDO_REFUSES = [
  /^sorry, .*$/,
  /^.* is not (?:in the sudoers file|allowed to run sudo).*$/,
  /^sudo: .*(?:password is required|authentication is required|terminal is required|a tty|no tty|unknown user).*$/,
  /^sudo: .*(?:you are not|may not run|command not found|user .* not found|i'm afraid i can't do that).*$/,
  /^sudo: .*(?:account|authentication|sudoers|policy plugin|audit plugin|setuid|no new privileges).*$/,
  /^.*\bsudo['’]?: (?:command )?not found$/,
  /^.*['‘]sudo['’]: no such file or directory$/,
].map((words) => new RegExp(words, 'im'));

/** Why sudo did not run an agent, told from its words; undefined when there are none of a refusal. */
export function sudoFailure(node: string, user: string, stderr: string): SkepError | undefined {
  const words = SUDO_REFUSES.map((refusal) => refusal.exec(stderr)?.[0]).find((w) => w !== undefined);
  if (words === undefined) return undefined;
  return new SkepError('sudo-refused', `sudo on ${node} does not let skep become ${user}: ${words}`, {
    context: { node, user },
  });
}

/**
 * The lines of /etc/sudoers.d/skep on a node: each user of a store may be become for the agent alone, and root for starting and
 * stopping what the configuration says. `agents` are the commands that may run as the agent, as sudoers writes them.
 */
export function sudoersLines(
  node: NodeConfig,
  cluster: ClusterConfig,
  o: { login: string; agents: readonly string[] },
): string[] {
  const services = (['cassandra', 'elasticsearch', 'thehive'] as const).filter((s) => node[s]);
  const commands = services.flatMap((s) => [cluster[s].service.stop, cluster[s].service.start]);
  const root = commands.map((argv) => sudoersCommand(forNode(argv, node.name)));
  const line = (as: string, commands: readonly string[]) =>
    commands.length === 0 ? [] : [`${o.login} ALL=(${as}) NOPASSWD: ${commands.join(', ')}`];
  return [...usersOn(node, cluster).flatMap((user) => line(user, o.agents)), ...line('root', root)];
}

/** A command as sudoers writes it: with its whole path, and what has a meaning there escaped. */
export function sudoersCommand(argv: readonly string[]): string {
  const [file = '', ...args] = argv;
  const whole = file.startsWith('/') ? file : `/usr/bin/${file}`;
  return [whole, ...args].map((word) => word.replace(/[\\,:= *?[\]!"]/g, '\\$&')).join(' ');
}
