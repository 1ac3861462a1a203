import { describe, expect, test } from 'vitest';
import type { NodeConfig, SshConfig } from '../../../src/config/schema.ts';
import { sshArgv, sshFailure } from '../../../src/remote/ssh.ts';
import { transportTo } from '../../../src/remote/transport.ts';

const node: NodeConfig = { name: 'n1', transport: 'ssh', elasticsearch: false, thehive: false };
const ssh: SshConfig = { connect_timeout: 10_000 };

describe('the argv of ssh', () => {
  test('never asks, never skips the check of the host key, and keeps the host apart from options', () => {
    const argv = sshArgv({ ...node, host: '-oProxyCommand=evil' }, ssh, ['skep', 'agent run']);
    expect(argv).toContain('BatchMode=yes');
    expect(argv).toContain('StrictHostKeyChecking=yes');
    expect(argv.slice(-3)).toEqual(['--', '-oProxyCommand=evil', "skep 'agent run'"]);
  });

  test('has what the configuration says, and only that', () => {
    const full = {
      ...ssh,
      user: 'cassandra',
      port: 2222,
      identity_file: '/k',
      known_hosts_file: '/h',
      config_file: '/c',
      connect_timeout: 400,
    };
    const line = sshArgv(node, full, ['x']).join(' ');
    expect(line).toMatch(/^ssh -F \/c /);
    for (const part of [
      'UserKnownHostsFile=/h',
      'IdentityFile=/k',
      'IdentitiesOnly=yes',
      'ConnectTimeout=1',
      '-p 2222 -l cassandra -- n1 x',
    ]) {
      expect(line).toContain(part);
    }
    expect(sshArgv(node, ssh, ['x']).join(' ')).not.toMatch(/Identit|KnownHosts|-F|-p |-l /);
  });
});

describe('the connection of a session', () => {
  const own = { controlPath: '/run/skep/ssh' };

  test('is shared with those that name the same socket, and ends soon after the last of them', () => {
    const line = sshArgv(node, ssh, ['x'], own).join(' ');
    expect(line).toContain('-o ControlMaster=auto -o ControlPath=/run/skep/ssh -o ControlPersist=2');
  });

  test('is the user’s to share where nothing is named', () => {
    expect(sshArgv(node, ssh, ['x']).join(' ')).not.toContain('Control');
  });

  test('is its own where much is sent, and nobody else’s', () => {
    const line = sshArgv(node, ssh, ['x'], { ...own, compressed: true }).join(' ');
    expect(line).toContain('ControlMaster=no');
    expect(line).not.toContain('ControlPath');
  });

  test('that has ended is told only where sessions say nothing of it', () => {
    const cluster = { ssh };
    const after = (isOpen?: boolean) =>
      transportTo(node, cluster, isOpen === undefined ? undefined : { ...own, isOpen: () => isOpen }).failure(255, '');
    expect(after(false)).toMatchObject({ code: 'node-unreachable', context: { node: 'n1' } });
    expect(after(true)).toBeUndefined();
    expect(after()).toBeUndefined();
  });
});

describe('the last words of ssh', () => {
  // As OpenSSH 9.2 prints them.
  const words: [string, string, RegExp][] = [
    [
      '@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @\nHost key verification failed.',
      'ssh-credentials',
      /host key/,
    ],
    [
      'No ED25519 host key is known for n1 and you have requested strict checking.\nHost key verification failed.',
      'ssh-credentials',
      /host key/,
    ],
    ['skep@n1: Permission denied (publickey).', 'ssh-credentials', /refused the ssh key/],
    [
      'Load key "/k": invalid format\nskep@n1: Permission denied (publickey).',
      'ssh-credentials',
      /refused the ssh key/,
    ],
    ['Received disconnect from 10.0.0.1 port 22:2: Too many authentication failures', 'ssh-credentials', /refused/],
    ['ssh: connect to host n1 port 22: Connection refused', 'node-unreachable', /Connection refused/],
    ['ssh: connect to host n1 port 22: Connection timed out', 'node-unreachable', /timed out/],
    ['ssh: Could not resolve hostname n1: Name or service not known', 'node-unreachable', /resolve/],
    ['kex_exchange_identification: Connection closed by remote host', 'node-unreachable', /closed/],
    [
      'Timeout, server n1 not responding.\nclient_loop: send disconnect: Connection reset by peer',
      'node-unreachable',
      /reset/,
    ],
  ];

  test.each(words)('%j is %s', (stderr, code, message) => {
    expect(sshFailure('n1', `debug\n${stderr}\n`)).toMatchObject({
      code,
      message: expect.stringMatching(message),
      context: { node: 'n1' },
      retryable: code === 'node-unreachable',
    });
  });

  test('that are the command’s own are left to others', () => {
    expect(sshFailure('n1', 'sh: 1: skep: not found')).toBeUndefined();
  });
});
