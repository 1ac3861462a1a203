import { describe, expect, test } from 'vitest';
import { nowUs } from '../../../src/cut/clock.ts';
import type { Agent } from '../../../src/remote/agent-client.ts';
import type { Connections } from '../../../src/run/connections.ts';
import { linger, type OpenCut } from '../../../src/run/take-cut.ts';
import { localCluster } from '../support/cluster.ts';
import { topologyOf } from '../checks/topology-of.ts';

describe('the linger', () => {
  const LINGER_MS = 200;

  /** Lingers over a node whose clock is `offsetUs` ahead of this machine's; gives that clock when pins were listed. */
  async function pinsListedAt(offsetUs: number, signal: AbortSignal) {
    const { cluster, node } = localCluster();
    let listed = 0;
    const agent: Agent = {
      node,
      call: async () => {
        listed = nowUs() + offsetUs;
        return { folder: '/p', segments: [{ name: 'x', id: '7', bytes: 1 }], missed: [] } as never;
      },
      close: async () => {},
      as: () => agent,
    };
    const c = { cluster: { ...cluster, cut: { ...cluster.cut, linger: LINGER_MS } }, agents: new Map([['n1', agent]]) };
    const topology = topologyOf({ datacenters: ['dc1'] });
    const cut = {
      T: BigInt(nowUs() + offsetUs),
      clocks: [{ node: 'n1', offsetUs, errorUs: 0 }],
      topology: { ...topology, nodes: topology.nodes.map((n) => ({ ...n, commitlogSyncMs: 0 })) },
    } as unknown as OpenCut;
    const segments = await linger(c as unknown as Connections, cut, 'run-1', signal);
    return { late: (listed - Number(cut.T)) / 1000, segments };
  }

  test.each([0, -3_600_000_000, 3_600_000_000])(
    'lasts in full by the clocks of the nodes, when they are %i µs ahead of this machine',
    async (offsetUs) => {
      const { late, segments } = await pinsListedAt(offsetUs, new AbortController().signal);
      expect(late).toBeGreaterThan(LINGER_MS);
      expect(late).toBeLessThan(LINGER_MS + 30_000);
      expect(segments).toEqual(new Map([['n1', ['7']]]));
    },
  );

  test('ends at once when the run is stopped', async () => {
    await expect(pinsListedAt(0, AbortSignal.abort())).rejects.toThrow(/abort/i);
  });
});
