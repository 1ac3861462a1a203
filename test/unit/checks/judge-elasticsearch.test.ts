import { describe, expect, test } from 'vitest';
import { type Health, judgeHealth } from '../../../src/checks/elasticsearch-health.ts';
import { judgeVerified } from '../../../src/checks/elasticsearch-repository.ts';

describe('elasticsearch-health', () => {
  const green: Health = { status: 'green', number_of_nodes: 3, unassigned_shards: 0, indices: {} };
  const ours = { index: 'thehive_*', own: ['thehive_global'], closed: [], nodes: 3 };
  const withIndex = (name: string, status: 'yellow' | 'red'): Health => ({
    ...green,
    status,
    unassigned_shards: 1,
    indices: { [name]: { status, unassigned_shards: 1 } },
  });

  test('green with every node and an index of ours passes', () => {
    expect(judgeHealth(green, ours)).toMatchObject([{ verdict: 'pass' }]);
  });

  test('yellow is a warning: every primary is there', () => {
    expect(judgeHealth(withIndex('thehive_global', 'yellow'), ours)).toMatchObject([
      { verdict: 'warn', seen: 'yellow, 1 unassigned shard: thehive_global yellow' },
    ]);
  });

  test('yellow passes on a single node, which has no place for replicas, unless another one is missing', () => {
    const alone = { ...withIndex('thehive_global', 'yellow'), number_of_nodes: 1 };
    expect(judgeHealth(alone, { ...ours, nodes: 1 })).toMatchObject([
      { verdict: 'pass', seen: 'yellow, since one node has no place for replicas, 1 node, 1 index of TheHive' },
    ]);
    expect(judgeHealth(alone, ours).map((r) => r.verdict)).toEqual(['fail', 'warn']);
  });

  test('red fails when the index is ours, and is a warning when it is not', () => {
    expect(judgeHealth(withIndex('thehive_global', 'red'), ours)[0]?.verdict).toBe('fail');
    expect(judgeHealth(withIndex('other', 'red'), ours)[0]?.verdict).toBe('warn');
  });

  test('a missing node and a missing index fail', () => {
    expect(judgeHealth({ ...green, number_of_nodes: 2 }, ours)[0]).toMatchObject({
      verdict: 'fail',
      seen: '2 nodes in the cluster, the configuration has 3',
    });
    expect(judgeHealth(green, { ...ours, own: [] })[0]?.verdict).toBe('fail');
  });

  test('a closed index fails by name: a snapshot would leave it out', () => {
    expect(judgeHealth(green, { ...ours, closed: ['thehive-audits-000001'] })).toMatchObject([
      { verdict: 'fail', seen: expect.stringContaining('thehive-audits-000001 is closed') },
    ]);
  });
});

describe('elasticsearch-repository', () => {
  test('a node that did not verify the staging repository fails by name', () => {
    expect(judgeVerified('/s', ['a', 'b'], ['b', 'a']).verdict).toBe('pass');
    expect(judgeVerified('/s', ['a', 'b', 'c'], ['b'])).toMatchObject({
      verdict: 'fail',
      seen: '/s was not verified by a, c',
    });
  });
});
