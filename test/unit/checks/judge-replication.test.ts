import { describe, expect, test } from 'vitest';
import { planReplicationFix } from '../../../src/checks/fix-replication.ts';
import { judgeLogins, judgeReplication, sizesOf } from '../../../src/checks/replication.ts';
import { topologyOf } from './topology-of.ts';

const NETWORK = 'org.apache.cassandra.locator.NetworkTopologyStrategy';
const SIMPLE = 'org.apache.cassandra.locator.SimpleStrategy';

function verdicts(replication: Record<string, string>, sizes: Record<string, number>, configured?: number): string[] {
  const results = judgeReplication({ keyspace: 'thehive', replication }, new Map(Object.entries(sizes)), configured);
  return results.map((r) => `${r.verdict}: ${r.seen}`);
}

describe('replication', () => {
  test('three replicas on three nodes pass, so do one on one', () => {
    expect(verdicts({ class: NETWORK, dc1: '3' }, { dc1: 3 })).toEqual([
      'pass: thehive has 3 replicas in dc1, which has 3 nodes',
    ]);
    expect(verdicts({ class: NETWORK, dc1: '1' }, { dc1: 1 })[0]).toMatch(/^pass/);
  });

  test('too few replicas fail with the wanted number', () => {
    expect(verdicts({ class: NETWORK, dc1: '2' }, { dc1: 3 })).toEqual([
      'fail: thehive has 2 replicas in dc1, which has 3 nodes; it should have 3',
    ]);
    expect(verdicts({ class: NETWORK, dc1: '2' }, { dc1: 3 }, 2)[0]).toMatch(/^pass/);
  });

  test('a datacenter without replicas fails, and so do replicas in one without nodes', () => {
    const seen = verdicts({ class: NETWORK, dc1: '3', gone: '3' }, { dc1: 3, dc2: 2 });
    expect(seen).toEqual([
      'pass: thehive has 3 replicas in dc1, which has 3 nodes',
      'fail: thehive has 0 replicas in dc2, which has 2 nodes; it should have 2',
      'fail: thehive has 3 replicas in gone, which has no node',
    ]);
  });

  test('more replicas than nodes fail', () => {
    expect(verdicts({ class: NETWORK, dc1: '3' }, { dc1: 2 })[0]).toMatch(/^fail.*QUORUM/);
  });

  test('SimpleStrategy fails whatever its factor, transient replicas too', () => {
    expect(verdicts({ class: SIMPLE, replication_factor: '3' }, { dc1: 3 })[0]).toMatch(/^fail.*SimpleStrategy/);
    expect(verdicts({ class: NETWORK, dc1: '3/1' }, { dc1: 3 })[0]).toMatch(/^fail.*transient/);
  });

  test('SimpleStrategy with one replica, as JanusGraph has it by itself, passes on a single node and nowhere else', () => {
    const simple = { class: SIMPLE, replication_factor: '1' };
    expect(verdicts(simple, { dc1: 1 })).toEqual(['pass: thehive has 1 replica on the only node']);
    expect(verdicts(simple, { dc1: 1, dc2: 1 })[0]).toMatch(/^fail/);
    expect(verdicts({ class: SIMPLE, replication_factor: '3' }, { dc1: 1 })[0]).toMatch(/^fail/);
  });

  test('one replica of the logins for several nodes is a warning', () => {
    expect(judgeLogins({ class: SIMPLE, replication_factor: '1' }, 3)[0]?.verdict).toBe('warn');
    expect(judgeLogins({ class: SIMPLE, replication_factor: '1' }, 1)).toEqual([]);
    expect(judgeLogins({ class: NETWORK, dc1: '3' }, 3)).toEqual([]);
  });

  test('nodes are counted by datacenter', () => {
    expect([...sizesOf(['b', 'a', 'b'])]).toEqual([['a', 1], ['b', 2]]); // prettier-ignore
  });
});

describe('the plan that mends replication', () => {
  const plan = (replication: Record<string, string>, datacenters: string[], configured?: number) =>
    planReplicationFix(topologyOf({ replication, datacenters }), configured);

  test('is empty when there is nothing to mend', () => {
    expect(plan({ class: NETWORK, dc1: '3' }, ['dc1', 'dc1', 'dc1']).steps).toEqual([]);
    expect(plan({ class: SIMPLE, replication_factor: '1' }, ['dc1']).steps).toEqual([]);
  });

  test('names every datacenter, then repairs node after node', () => {
    const p = plan({ class: SIMPLE, replication_factor: '1' }, ['dc1', 'dc1', 'dc2']);
    expect(p.statement).toBe(
      "ALTER KEYSPACE thehive WITH replication = {'class': 'NetworkTopologyStrategy', 'dc1': 2, 'dc2': 1}",
    );
    expect(p.repair).toEqual(['n1', 'n2', 'n3']);
    expect(p.steps.map((s) => s.text).slice(2)).toEqual(
      ['n1', 'n2', 'n3'].map((n) => `on ${n}: nodetool repair --full -pr -- thehive`),
    );
  });

  test('keeps a higher factor that fits, and lowers one that does not', () => {
    const four = ['dc1', 'dc1', 'dc1', 'dc1'];
    expect(plan({ class: NETWORK, dc1: '4' }, four).steps).toEqual([]);
    expect(plan({ class: NETWORK, dc1: '5' }, four).statement).toContain("'dc1': 3");
    expect(plan({ class: NETWORK, dc1: '3', gone: '3' }, ['dc1', 'dc1', 'dc1']).statement).not.toContain('gone');
  });

  test('follows the configured number of replicas', () => {
    expect(plan({ class: NETWORK, dc1: '1' }, ['dc1', 'dc1', 'dc1'], 2).statement).toContain("'dc1': 2");
  });

  test('is refused when there is no keyspace', () => {
    expect(() => plan({}, ['dc1'])).toThrow('no keyspace thehive');
  });
});
