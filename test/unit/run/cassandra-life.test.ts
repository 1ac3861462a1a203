import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { SkepEvent } from '../../../src/index.ts';
import { drainAll, keepStopped, mayBeDown } from '../../../src/run/cassandra-life.ts';
import { Journal } from '../../../src/run/journal.ts';
import type { RestoreWork } from '../../../src/run/restore-work.ts';

/** What a node's Cassandra is in: it answers JMX only when it is up. */
type State = 'stopped' | 'normal' | 'drained' | 'crashing';

/** A cluster whose agents carry commands out on made-up nodes, and note them. */
class Nodes {
  readonly states: Record<string, State>;
  readonly log: string[] = [];
  asked = 0;

  constructor(states: Record<string, State>) {
    this.states = states;
  }

  run(node: string, argv: readonly string[]): { exitCode: number; stdout: string; stderr: string } {
    this.asked++;
    const [file = '', command = ''] = argv;
    const state = this.states[node] as State;
    const up = state === 'normal' || state === 'drained';
    const answer = (exitCode: number, stdout = '') => ({ exitCode, stdout, stderr: '' });
    if (file === 'service') {
      if (command === 'status') return answer(state === 'stopped' ? 3 : 0);
      this.log.push(`${command} ${node}`);
      if (command === 'start' && state === 'stopped') this.states[node] = 'normal';
      if (command === 'stop') this.states[node] = 'stopped';
      return answer(0);
    }
    if (!up) return answer(1, 'nodetool: Failed to connect');
    if (command === 'netstats') return answer(0, `Mode: ${state.toUpperCase()}\nNot sending any streams.`);
    if (command === 'drain') {
      this.log.push(`drain ${node}`);
      this.states[node] = 'drained';
    }
    return answer(0);
  }
}

let folder: string;
let journal: Journal;
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'skep-life-'));
  journal = await open();
});
afterEach(() => rm(folder, { recursive: true }));

function open(): Promise<Journal> {
  return Journal.open({ folder, cluster: 'c', backup: 'b', run: 'r' });
}

/** As when a run has died behind its first step. */
async function interrupt(): Promise<void> {
  await journal.markDone('stop-thehive');
  journal = await open();
}

function workOn(nodes: Nodes, events: SkepEvent[] = [], signal = new AbortController().signal): RestoreWork {
  const names = Object.keys(nodes.states);
  const service = { start: ['service', 'start'], stop: ['service', 'stop'], status: ['service', 'status'] };
  const agents = new Map(
    names.map((name) => {
      const agent = { node: { name }, call: async (_: string, p: { argv: string[] }) => nodes.run(name, p.argv) };
      return [name, { ...agent, as: () => agent }];
    }),
  );
  const cluster = {
    agent: { become: 'none' },
    nodes: names.map((name) => ({ name, cassandra: '127.0.0.1' })),
    cassandra: { nodetool: ['nodetool'], service },
  };
  const c = { cluster, agents, cql: new Map() };
  return { c, journal, signal, emit: (e: SkepEvent) => events.push(e) } as unknown as RestoreWork;
}

describe('draining', () => {
  test('of a restore that was not interrupted asks nothing before', async () => {
    const nodes = new Nodes({ n1: 'normal', n2: 'normal' });
    await drainAll(workOn(nodes));
    expect(nodes.log.sort()).toEqual(['drain n1', 'drain n2']);
    expect(nodes.asked).toBe(2);
  });

  test('drains every node, also those that an interrupted one had drained', async () => {
    const nodes = new Nodes({ n1: 'normal', n2: 'drained' });
    await interrupt();
    await drainAll(workOn(nodes));
    expect(nodes.states).toEqual({ n1: 'drained', n2: 'drained' });
    expect(nodes.log.sort()).toEqual(['drain n1', 'drain n2']);
  });

  test('starts a node that is down, with drained ones to gossip with: nobody knows whether it was drained', async () => {
    const nodes = new Nodes({ n1: 'normal', n2: 'stopped', n3: 'drained' });
    await interrupt();
    await drainAll(workOn(nodes));
    expect(nodes.states).toEqual({ n1: 'drained', n2: 'drained', n3: 'drained' });
    expect(nodes.log.filter((l) => l.startsWith('stop'))).toEqual(['stop n3']);
    expect(nodes.log.indexOf('stop n3')).toBeLessThan(nodes.log.indexOf('start n2'));
    expect(nodes.log.indexOf('start n3')).toBeLessThan(nodes.log.indexOf('drain n1'));
  });

  test('is noted before it begins: a restore that dies in it does not ask for CQL when it goes on', async () => {
    expect(mayBeDown(journal)).toBe(false);
    const stop = new AbortController();
    const nodes = new Nodes({ n1: 'crashing' });
    await interrupt();
    const dying = drainAll(workOn(nodes, [], stop.signal));
    setTimeout(() => stop.abort(new Error('killed')), 50);
    await expect(dying).rejects.toThrow();
    const resumed = await open();
    expect(mayBeDown(resumed)).toBe(true);
    await resumed.markDone('start-cassandra');
    expect(mayBeDown(resumed)).toBe(false);
  });
});

describe('a resumed restore finds Cassandra', () => {
  test('stopped, as it left it: what is laid out stays', async () => {
    await journal.markDone('aside-cassandra');
    await journal.markDone('cassandra');
    const events: SkepEvent[] = [];
    await keepStopped(workOn(new Nodes({ n1: 'stopped', n2: 'stopped' }), events));
    expect(journal.isDone('cassandra')).toBe(true);
    expect(events).toEqual([]);
  });

  test('running on half a layout: it is drained, stopped, and the layout begins anew', async () => {
    await journal.markDone('aside-cassandra');
    await journal.markDone('cassandra');
    await journal.markDone('files');
    const events: SkepEvent[] = [];
    const nodes = new Nodes({ n1: 'stopped', n2: 'normal' });
    await keepStopped(workOn(nodes, events));
    expect(nodes.states).toEqual({ n1: 'stopped', n2: 'stopped' });
    expect(nodes.log.indexOf('drain n2')).toBeLessThan(nodes.log.indexOf('stop n2'));
    expect([journal.isDone('aside-cassandra'), journal.isDone('cassandra'), journal.isDone('files')]).toEqual([
      false,
      false,
      true,
    ]);
    expect(events).toMatchObject([{ type: 'warning', context: { node: 'n2' } }]);
    const after = await open();
    expect(after.isDone('cassandra')).toBe(false);
  });
});
