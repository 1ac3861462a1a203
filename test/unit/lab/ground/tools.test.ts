import { expect, it } from 'vitest';
import { findTools, missingPackages } from '../../../../lab/ground/tools.ts';

it('names each package once, in order', () => {
  expect(missingPackages({ mvn: '/usr/bin/mvn', ssh: '/usr/bin/ssh', 'ssh-keygen': '/usr/bin/ssh-keygen' })).toEqual([
    'age',
    'iproute2',
    'jq',
    'openjdk-17-jdk-headless',
    'openssh-server',
    'openssl',
    'python3',
    'python3-pip',
    'sudo',
    'zstd',
  ]);
});

it('finds nothing missing where everything was found', async () => {
  const all = { java: 'x', javac: 'x', jar: 'x', keytool: 'x', mvn: 'x', sshd: 'x', ssh: 'x', 'ssh-keygen': 'x' };
  const others = { openssl: 'x', zstd: 'x', jq: 'x', age: 'x', python3: 'x', pip3: 'x', sudo: 'x', ip: 'x' };
  expect(missingPackages({ ...all, ...others })).toEqual([]);
});

it('does not find tools that are on no path', async () => {
  expect(await findTools({ PATH: '' })).not.toHaveProperty('mvn');
});
