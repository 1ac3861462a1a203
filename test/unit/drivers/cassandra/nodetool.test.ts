import { describe, expect, test } from 'vitest';
import {
  clearSnapshotArgs,
  nodetool,
  nodetoolArgv,
  nodetoolError,
  snapshotArgs,
} from '../../../../src/drivers/cassandra/nodetool.ts';
import type { AgentProcess } from '../../../../src/remote/agent-process.ts';
import { localCluster } from '../../support/cluster.ts';

const { cluster, node } = localCluster();
const withJmx = {
  ...cluster,
  cassandra: { ...cluster.cassandra, nodetool: ['/c/{node}/nodetool'], jmx: { user: 'u', password_file: '/s/{node}' } },
};

describe('a call of nodetool', () => {
  test('has the password in a file of its node, and options before arguments', () => {
    expect(nodetoolArgv(cluster, 'n1', ['status'])).toEqual(['nodetool', 'status']);
    expect(nodetoolArgv(withJmx, 'n2', snapshotArgs('skep-1', 'thehive', 86_400_000))).toEqual([
      '/c/n2/nodetool',
      '-u',
      'u',
      '-pwf',
      '/s/n2',
      'snapshot',
      '-t',
      'skep-1',
      '--ttl',
      '1440m',
      '--',
      'thehive',
    ]);
    expect(snapshotArgs('t', 'k', undefined)).not.toContain('--ttl');
    expect(snapshotArgs('t', 'k', 60_001)).toContain('2m');
    expect(clearSnapshotArgs('t', 'k')).toEqual(['clearsnapshot', '-t', 't', '--', 'k']);
  });

  test('gives what it printed, or fails with its exit code', async () => {
    const answer = { exitCode: 0, stdout: 'fine', stderr: 'noise' };
    const agent: AgentProcess = { node, call: async () => answer as never, close: async () => {} };
    expect(await nodetool(agent, cluster, ['info'])).toBe('fine');
    answer.exitCode = 2;
    await expect(nodetool(agent, cluster, ['info'])).rejects.toMatchObject({
      code: 'command-failed',
      context: { node: 'n1', exitCode: 2 },
    });
  });
});

describe('an error of nodetool', () => {
  const errorOf = (output: string) => nodetoolError('n1', ['snapshot', '-t', 'x'], 2, output);

  test('of credentials is one of credentials', () => {
    const said = [
      "nodetool: Failed to connect to '127.0.0.1:7199' - SecurityException: 'Authentication failed! Credentials required'.",
      "nodetool: Failed to connect to '127.0.0.1:7199' - SecurityException: 'Authentication failed! Invalid username or password'.",
    ];
    for (const line of said) expect(errorOf(`${line}\n`)).toMatchObject({ code: 'jmx-credentials', exitCode: 12 });
  });

  // As 4.1.10 says it under Java 17.
  test.each([
    [
      'a trust store without the CA',
      "SunCertPathBuilderException: 'unable to find valid certification path to requested target'",
    ],
    ['an empty trust store', "InvalidAlgorithmParameterException: 'the trustAnchors parameter must be non-empty'"],
    ['a wrong password of it', "KeyManagementException: 'problem accessing trust store'"],
    ['plain words to a JMX over TLS', "ConnectIOException: 'non-JRMP server at remote endpoint'"],
    ['TLS to a plain JMX', "EOFException: 'SSL peer shut down incorrectly'"],
  ])('of TLS is one of credentials: %s', (_, why) => {
    expect(errorOf(`nodetool: Failed to connect to '127.0.0.1:7199' - ${why}.\n`)).toMatchObject({
      code: 'jmx-credentials',
      message: expect.stringContaining(why),
      hint: expect.stringContaining('--ssl'),
    });
    const refused = "nodetool: Failed to connect to '127.0.0.1:7199' - ConnectException: 'Connection refused'.\n";
    expect(errorOf(refused).code).toBe('command-failed');
  });

  test('of a full disk, or a quota that is used up, is one of space', () => {
    for (const why of ['No space left on device', 'Disk quota exceeded']) {
      expect(errorOf(`error: /d/snapshots/x: ${why}\n-- StackTrace --\n`)).toMatchObject({
        code: 'no-space',
        exitCode: 13,
        message: `no space on n1 for nodetool snapshot: /d/snapshots/x: ${why}`,
      });
    }
  });

  test('tells the reason, not the end of a stack trace', () => {
    const said =
      'Requested creating snapshot(s) for [thehive]\nerror: Snapshot x already exists.\n-- StackTrace --\njava.io.IOException: Snapshot x already exists.\n\tat java.base/java.lang.Thread.run(Thread.java:840)\n';
    expect(errorOf(said)).toMatchObject({
      code: 'command-failed',
      message: 'nodetool snapshot failed on n1: Snapshot x already exists.',
    });
  });

  test('without any such line tells the last one, or that there was none', () => {
    expect(errorOf('one\ntwo\n\n').message).toBe('nodetool snapshot failed on n1: two');
    expect(errorOf(' \n').message).toBe('nodetool snapshot failed on n1: no output');
  });
});
