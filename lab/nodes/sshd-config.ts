import path from 'node:path';
import type { LabLayout, NodeLayout } from '../layout.ts';
import { LAB_ID, type ServiceSpec } from '../services/spec.ts';

/** sshd_config of a node: one key, no passwords, its own address and host key. */
export function sshdConfig(layout: LabLayout, node: NodeLayout, options: { labId: string; pam: boolean }): string {
  const home = path.join(node.root, 'ssh');
  const lines: [string, string | number][] = [
    ['ListenAddress', node.address],
    ['Port', layout.ports.ssh],
    ['HostKey', path.join(home, 'host_key')],
    ['AuthorizedKeysFile', path.join(home, 'authorized_keys')],
    ['PidFile', 'none'],
    ['PubkeyAuthentication', 'yes'],
    ['PasswordAuthentication', 'no'],
    ['KbdInteractiveAuthentication', 'no'],
    ['PermitRootLogin', 'prohibit-password'],
    // the lab's folder may lie in a folder that others can write to
    ['StrictModes', 'no'],
    ['UsePAM', options.pam ? 'yes' : 'no'],
    ['UseDNS', 'no'],
    ['PrintMotd', 'no'],
    ['PrintLastLog', 'no'],
    ['MaxSessions', 200],
    ['MaxStartups', '100:30:200'],
    ['LogLevel', 'INFO'],
    // what is started through ssh belongs to the lab and goes down with it
    ['SetEnv', `${LAB_ID}=${options.labId}`],
  ];
  return lines.map(([key, value]) => `${key} ${value}\n`).join('');
}

/** ssh_config of the client: Host n1, n2, n3. */
export function sshClientConfig(layout: LabLayout, user: string): string {
  const hosts = layout.nodes.map(
    (node) => `Host ${node.name}
  HostName ${node.address}
  Port ${layout.ports.ssh}
  HostKeyAlias ${node.name}
`,
  );
  const common = `Host *
  User ${user}
  IdentityFile ${path.join(layout.ssh, 'client_key')}
  IdentitiesOnly yes
  UserKnownHostsFile ${path.join(layout.ssh, 'known_hosts')}
  GlobalKnownHostsFile none
  StrictHostKeyChecking yes
  BatchMode yes
`;
  return [...hosts, common].join('\n');
}

export function sshdSpec(layout: LabLayout, node: NodeLayout, sshd: string, env: Record<string, string>): ServiceSpec {
  const home = path.join(node.root, 'ssh');
  return {
    name: `${node.name}-sshd`,
    argv: [sshd, '-D', '-e', '-f', path.join(home, 'sshd_config')],
    env,
    cwd: home,
    log: path.join(home, 'sshd.log'),
    ready: { kind: 'tcp', host: node.address, port: layout.ports.ssh },
    startLimitMs: 15_000,
    stopLimitMs: 5_000,
  };
}
