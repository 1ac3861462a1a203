import { access, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import type { SkepEvent } from '../../../src/events.ts';
import { sourceCommand } from '../../../src/remote/agent-client.ts';
import type { BackupWork } from '../../../src/run/backup-work.ts';
import { Cleanup } from '../../../src/run/cleanup.ts';
import { failedAndDown, holdTheHive, notStarted } from '../../../src/run/cold.ts';
import { agentOf, closeAgents, openAgents } from '../../../src/run/connections.ts';
import { SkepError } from '../../../src/errors.ts';
import { localCluster } from '../support/cluster.ts';
import { temporaryFolder } from '../support/folder.ts';

vi.setConfig({ testTimeout: 60_000 });

/** TheHive runs on two nodes while a file is there for each; agents can be opened until `closed` is called. */
async function scene() {
  const folder = await temporaryFolder();
  const closed = join(folder, 'closed');
  const running = (node: string) => join(folder, `running-${node}`);
  const command = ['sh', '-c', `[ ! -e ${closed} ] || { echo no way in >&2; exit 7; }; exec "$@"`, '-'];
  const { cluster, node } = localCluster([...command, ...sourceCommand()]);
  const service = {
    start: ['touch', running('{node}')],
    stop: ['rm', running('{node}')],
    status: ['test', '-e', running('{node}')],
  };
  const nodes = ['n1', 'n2'].map((name) => ({ ...node, name, thehive: true }));
  const hive = { ...cluster.thehive, service: { ...cluster.thehive.service, ...service } };
  const both = { ...cluster, nodes, thehive: hive };
  for (const { name } of nodes) await writeFile(running(name), '');
  const agents = await openAgents(both);
  onTestFinished(() => closeAgents(agents));
  const events: SkepEvent[] = [];
  const emit = (e: SkepEvent) => void events.push(e);
  const cleanup = new Cleanup();
  const { signal } = new AbortController();
  const work = { c: { cluster: both, agents }, run: 'run-1', cleanup, emit, signal } as unknown as BackupWork;
  return {
    held: await holdTheHive(work),
    isUp: (name: string) =>
      access(running(name)).then(
        () => true,
        () => false,
      ),
    kill: (name: string) =>
      expect(
        agentOf(agents, name).call('node.run', { argv: ['sh', '-c', 'kill -9 $PPID; sleep 1'], timeoutMs: 10_000 }),
      ).rejects.toMatchObject({ code: 'agent-failed' }),
    close: () => writeFile(closed, ''),
    open: () => rm(closed),
    /** What the clean-up at the end warns of. */
    async warned() {
      await cleanup.runAll(emit);
      return events.flatMap((e) => (e.type === 'warning' ? [e.text] : []));
    },
    start: (name: string) => `\`touch ${running(name)}\` on ${name}`,
  };
}

test('TheHive is started again where the agent that stopped it was killed', async () => {
  const { held, isUp, kill, warned } = await scene();
  expect([await isUp('n1'), await isUp('n2')]).toEqual([false, false]);
  await kill('n2');
  expect(await held.start()).toBeUndefined();
  expect([await isUp('n1'), await isUp('n2')]).toEqual([true, true]);
  expect(await warned()).toEqual([]);
});

test('where no other agent can be had, it is told on which node TheHive is down and what starts it; the other runs', async () => {
  const { held, isUp, kill, close, warned, start } = await scene();
  await kill('n2');
  await close();
  const down = (await held.start()) as SkepError;
  expect(down.message).toBe(`TheHive is down on n2: start it by ${start('n2')} (the agent on n2 ended: no way in)`);
  expect(down.hint).toContain(start('n2'));
  expect([await isUp('n1'), await isUp('n2')]).toEqual([true, false]);
  const failed = failedAndDown(new SkepError('agent-failed', 'the agent on n2 ended'), down);
  expect(failed).toMatchObject({ code: 'agent-failed', hint: down.hint });
  for (const { message } of [failed, notStarted('a', down)]) expect(message).toContain(down.message);
  expect(await warned()).toEqual([`clean-up failed: TheHive: ${down.message}`]);
});

test('the clean-up at the end starts it when that can be done by then', async () => {
  const { held, isUp, kill, close, open, warned } = await scene();
  await kill('n1');
  await close();
  expect(await held.start()).toMatchObject({ context: { nodes: ['n1'] } });
  await open();
  expect(await warned()).toEqual([]);
  expect(await isUp('n1')).toBe(true);
});
