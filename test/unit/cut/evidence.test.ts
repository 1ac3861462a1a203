import { describe, expect, test } from 'vitest';
import {
  clockChanges,
  describeFinding,
  type EvidenceFinding,
  gaps,
  topologyChanges,
  truncationChanges,
  worthAnotherTry,
  writtenAhead,
} from '../../../src/cut/evidence.ts';
import type { Topology, TopologyNode } from '../../../src/discovery/topology.ts';
import { topologyOf } from '../checks/topology-of.ts';

const before = (): Topology => ({
  ...topologyOf({ datacenters: ['dc1', 'dc1'] }),
  tables: [
    { id: 'a1', name: 'edgestore' },
    { id: 'b2', name: 'graphindex' },
  ],
});

/** The findings when the second node, or the whole, has changed. */
function changed(node: Partial<TopologyNode>, whole: Partial<Topology> = {}): EvidenceFinding[] {
  const t = before();
  return topologyChanges(before(), { ...t, nodes: [t.nodes[0]!, { ...t.nodes[1]!, ...node }], ...whole });
}

describe('segment ids', () => {
  test('without a gap are no finding', () => {
    expect(gaps('n1', ['9', '10', '11'])).toEqual([]);
    expect(gaps('n1', ['9'])).toEqual([]);
    expect(gaps('n1', [])).toEqual([]);
  });

  test('with a gap or twice the same are one each, in whatever order they come', () => {
    expect(gaps('n1', ['11', '9', '11'])).toEqual([
      { kind: 'segments-not-contiguous', node: 'n1', after: '9', next: '11' },
      { kind: 'segments-not-contiguous', node: 'n1', after: '11', next: '11' },
    ]);
  });
});

describe('two looks at the topology', () => {
  test('that are the same are no finding', () => {
    expect(changed({})).toEqual([]);
  });

  test('find every kind of change', () => {
    expect(changed({ hostId: 'x' })).toEqual([{ kind: 'topology-changed', node: 'n2', what: 'host id' }]);
    expect(changed({ tokens: ['1'] })).toEqual([{ kind: 'topology-changed', node: 'n2', what: 'tokens' }]);
    expect(changed({ peers: ['1', '2'] })).toEqual([{ kind: 'topology-changed', node: 'n2', what: 'peers' }]);
    expect(changed({ gossipGeneration: 2 })).toEqual([{ kind: 'node-restarted', node: 'n2' }]);
    expect(changed({ schemaVersion: 'w' })).toEqual([{ kind: 'schema-changed', node: 'n2' }]);
    expect(topologyChanges(before(), { ...before(), nodes: [before().nodes[0]!] })).toEqual([
      { kind: 'topology-changed', node: 'n2', what: 'host id' },
    ]);
  });

  test('find a table that was made, dropped, or made again under its name', () => {
    const [edges, index] = before().tables as [Topology['tables'][0], Topology['tables'][0]];
    expect(changed({}, { tables: [edges] })).toEqual([{ kind: 'tables-changed', table: 'graphindex' }]);
    expect(changed({}, { tables: [edges, index, { id: 'c3', name: 'new' }] })).toEqual([
      { kind: 'tables-changed', table: 'new' },
    ]);
    expect(changed({}, { tables: [edges, { ...index, id: 'c3' }] })).toEqual([
      { kind: 'tables-changed', table: 'graphindex' },
      { kind: 'tables-changed', table: 'graphindex' },
    ]);
  });
});

describe('two looks at truncation records', () => {
  test('find tables that were truncated between, also a second time', () => {
    const old = { table: 'a1', segment: '5', position: 10 };
    const again = { ...old, position: 11 };
    const other = { table: 'b2', segment: '6', position: 1 };
    expect(truncationChanges('n1', [old], [old])).toEqual([]);
    expect(truncationChanges('n1', [old], [again, other])).toEqual([
      { kind: 'truncated-during-cut', node: 'n1', table: 'a1' },
      { kind: 'truncated-during-cut', node: 'n1', table: 'b2' },
    ]);
  });
});

describe('two measurements of the clocks', () => {
  const clock = (offsetUs: number, errorUs = 1000) => [{ node: 'n1', offsetUs, errorUs }];

  test('find one that was set anew, not one that drifts or is measured badly', () => {
    expect(clockChanges(clock(0), clock(400_000), 500)).toEqual([]);
    expect(clockChanges(clock(0, 200_000), clock(650_000), 500)).toEqual([]);
    expect(clockChanges(clock(0), clock(-900_000), 500)).toEqual([{ kind: 'clock-moved', node: 'n1', ms: 900 }]);
    expect(clockChanges(clock(3_600_000_000), clock(3_600_000_100), 500)).toEqual([]);
  });
});

describe('findings', () => {
  const all: EvidenceFinding[] = [
    { kind: 'segments-not-contiguous', node: 'n1', after: '1', next: '3' },
    { kind: 'segment-missed', node: 'n1', segment: 'CommitLog-7-1.log' },
    { kind: 'unsynced-tail', node: 'n1', mutations: 2 },
    { kind: 'schema-changed', node: 'n1' },
    { kind: 'node-restarted', node: 'n1' },
    { kind: 'truncated-during-cut', node: 'n1', table: 't' },
    { kind: 'streaming', node: 'n1', operation: 'Repair' },
    { kind: 'clock-moved', node: 'n1', ms: 900 },
    { kind: 'tables-changed', table: 't' },
  ];

  test('name the node or the table', () => {
    for (const f of all)
      expect(describeFinding(f)).toContain('node' in f ? f.node : 'table' in f ? f.table : f.versions[0]);
  });

  test('are worth another try, but not a topology that has changed', () => {
    expect(worthAnotherTry(all)).toBe(true);
    expect(worthAnotherTry([...all, { kind: 'topology-changed', node: 'n1', what: 'tokens' }])).toBe(false);
  });
});

describe('writes in a snapshot that are stamped after T', () => {
  const T = 1_800_000_000_000_001n;
  const newest = (us: bigint) => ({ us: String(us), file: 'edgestore-1/nb-1-big-Statistics.db' });

  test('are found, by however little: the clock of a client is wrong, and another try would find the same', () => {
    const found = writtenAhead('n1', newest(T + 1n), T);
    expect(found).toEqual([{ kind: 'written-ahead', node: 'n1', file: newest(T).file, ms: 1 }]);
    expect(writtenAhead('n1', newest(T + 2_500_000n), T)[0]).toMatchObject({ ms: 2500 });
    expect(worthAnotherTry(found)).toBe(false);
  });

  test('are none when all is from T or before, or there is nothing', () => {
    for (const none of [undefined, newest(T), newest(T - 1n)]) expect(writtenAhead('n1', none, T)).toEqual([]);
  });
});
