// Three hosts: each node in a network namespace with its own address, sshd, users and sudoers. The operator is not root, skep
// is the single executable.
import path from 'node:path';
import { beforeAll, describe, expect, inject, test } from 'vitest';
import { canRunInside, runInside } from '../../lab/hosts/run-inside.ts';
import { makeRoom } from './support/labs.ts';

/** Nine minutes when nothing else runs on two cores; each of its backups begins agents of four users on three hosts. */
const STORY_MS = 30 * 60_000;

const possible = await canRunInside();

describe.runIf(possible)('three hosts and an operator who is not root', () => {
  const seen = new Map<string, Record<string, unknown>>();

  beforeAll(async () => {
    await makeRoom();
    const root = path.join(inject('labsFolder'), 'hosts');
    const exitCode = await runInside('test/lab/support/hosts-story.ts', [root], {
      onLine: (line) => {
        process.stdout.write(`${line}\n`);
        const { what, ...told } = JSON.parse(line) as { what: string };
        seen.set(what, told);
      },
    });
    expect(exitCode).toBe(0);
  }, STORY_MS);

  test('are backed up, and a check has nothing to say', () => {
    expect(seen.get('nothing happens')).toMatchObject({ exitCode: 0 });
    expect(seen.get('check')).toMatchObject({ exitCode: 0, findings: [], repository: 'operator:skep 2770' });
  });

  test('a cable that is out for five seconds does no harm', () => {
    expect(seen.get('the cable of a node is out for five seconds')).toMatchObject({ exitCode: 0, pulled: true });
  });

  test('a cable that stays out is a typed error, and nothing is left behind, also on the node that is alone', () => {
    expect(seen.get('the cable of a node stays out')).toMatchObject({ pulled: true, agents: 0, left: [] });
    expect(seen.get('the cable of a node stays out')?.['goneSeconds']).toBeLessThanOrEqual(30);
    expect(seen.get('the cable of a node stays out')?.['code']).toMatch(/node-unreachable|agent-failed|cql-failed/);
  });

  test('nodes that do not reach the repository send through the controller, which says so', () => {
    const [of1, of2] = ['n1', 'n2'].map((node) => expect.stringContaining(`${node} sends through this machine`));
    expect(seen.get('two nodes do not reach the repository')).toMatchObject({
      exitCode: 0,
      plan: [expect.stringContaining('n3 write straight into'), of1, of2],
      warned: [expect.stringContaining('its data go through this machine'), expect.any(String)],
      left: [],
    });
  });

  test.each([
    ['they do not, and are to write it themselves', { code: 'repository-missing', left: [] }],
    ['sudo knows nothing of skep', { code: 'sudo-refused', exitCode: 12, left: [] }],
    ['sudo starts no services', { code: 'sudo-refused', exitCode: 12, thehive: 'ready' }],
    ['sudo starts no services, cold', { code: 'sudo-refused', exitCode: 12, thehive: 'ready', left: [] }],
    ['Cassandra is shown no certificate', { code: 'cql-failed', left: [] }],
    ['the key of a host is another one', { code: 'ssh-credentials', exitCode: 12, left: [] }],
    ['ssh is refused', { code: 'node-unreachable', left: [] }],
  ])('%s: refused before anything is changed', (what, expected) => {
    expect(seen.get(what)).toMatchObject(expected);
  });

  test('cold: TheHive is stopped for the cut and started again, also when skep is killed meanwhile', () => {
    expect(seen.get('killed while TheHive is stopped')).toMatchObject({ stopped: true, thehive: 'ready', agents: 0 });
    expect(seen.get('cold')).toMatchObject({ exitCode: 0, during: 'stopped', after: 'ready', left: [] });
  });

  test('configurations are kept, also those that only one user may read', () => {
    const files = expect.arrayContaining(['cassandra.yaml', 'keystore.p12']);
    expect(seen.get('config')).toMatchObject({ exitCode: 0, files });
  });

  test('all that was said to be backed up is good, and comes back', () => {
    expect(seen.get('verify')).toMatchObject({ exitCode: 0 });
    expect(seen.get('restore')).toMatchObject({ exitCode: 0 });
    const zeros = { missing: 0, extra: 0, torn: 0, dangling: 0, index_missing: 0, index_ghosts: 0 };
    for (const cluster of ['the cluster before it is lost', 'the cluster that came back']) {
      expect(seen.get(cluster), JSON.stringify(seen.get(cluster), undefined, 1)).toMatchObject(zeros);
    }
  });
});
