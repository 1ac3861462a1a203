import type { NodeConfig, SshConfig } from '../config/schema.ts';
import { SkepError } from '../errors.ts';
import { quoteAll } from './quote.ts';

/** How one session with a node is to be had. */
export interface SessionOptions {
  /** Much will be sent, and the line may be slow: a connection of its own, unless the user keeps one open for all. */
  compressed?: boolean;
  /** Sessions that name the same socket go through one connection; the first one makes it. */
  controlPath?: string | undefined;
}

/** How long a connection waits for another session, in s; then it ends by itself, also when skep was killed. */
const PERSIST_S = 2;

/** The local argv that runs `command` on a node over the system's ssh. Never asks anything: keys and known hosts only. */
export function sshArgv(
  node: NodeConfig,
  ssh: SshConfig,
  command: readonly string[],
  o: SessionOptions = {},
): [string, ...string[]] {
  return ['ssh', ...optionsOf(node, ssh, sessionOptions(o)), quoteAll(command)];
}

/** The argv that prints what ssh would do for a node: the user's own configuration, and what skep's says. */
export function sshConfigArgv(node: NodeConfig, ssh: SshConfig): [string, ...string[]] {
  return ['ssh', '-G', ...optionsOf(node, ssh)];
}

function sessionOptions({ compressed, controlPath }: SessionOptions): Record<string, string> {
  if (compressed) return { Compression: 'yes', ControlMaster: 'no' };
  if (controlPath === undefined) return {};
  return { ControlMaster: 'auto', ControlPath: controlPath, ControlPersist: String(PERSIST_S) };
}

function optionsOf(node: NodeConfig, ssh: SshConfig, more: Record<string, string> = {}): string[] {
  const options = {
    BatchMode: 'yes',
    StrictHostKeyChecking: 'yes',
    ConnectTimeout: String(Math.max(1, Math.round(ssh.connect_timeout / 1000))),
    ServerAliveInterval: '5',
    ServerAliveCountMax: '6',
    ...more,
    ...(ssh.known_hosts_file ? { UserKnownHostsFile: ssh.known_hosts_file } : {}),
    ...(ssh.identity_file ? { IdentityFile: ssh.identity_file, IdentitiesOnly: 'yes' } : {}),
  };
  return [
    ...(ssh.config_file ? ['-F', ssh.config_file] : []),
    ...Object.entries(options).flatMap(([k, v]) => ['-o', `${k}=${v}`]),
    ...(ssh.port ? ['-p', String(ssh.port)] : []),
    ...(ssh.user ? ['-l', ssh.user] : []),
    '--',
    node.host ?? node.name,
  ];
}

/** Why ssh ended with 255, told from its last words; undefined when the words are not ssh's. */
export function sshFailure(node: string, stderr: string): SkepError | undefined {
  const last = stderr.trim().split('\n').at(-1) ?? '';
  if (/host key verification failed|no .* host key is known|remote host identification has changed/i.test(stderr)) {
    return new SkepError('ssh-credentials', `the host key of ${node} is not the known one`, {
      hint: `Compare the key with the host's own, then run \`ssh-keyscan\` into known_hosts; never skip the check.`,
      context: { node },
    });
  }
  if (/permission denied|no such identity|load key|too many authentication failures/i.test(stderr)) {
    return new SkepError('ssh-credentials', `${node} refused the ssh key: ${last}`, { context: { node } });
  }
  if (/connection refused|timed out|could not resolve|no route|connection closed|connection reset|ssh:/i.test(stderr)) {
    return new SkepError('node-unreachable', `cannot reach ${node}: ${last}`, { context: { node }, retryable: true });
  }
  return undefined;
}
