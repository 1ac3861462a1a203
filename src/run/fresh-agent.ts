import { type ErrorCode, SkepError } from '../errors.ts';
import { openAgent } from '../remote/agent-client.ts';
import type { Agents, Connections } from './connections.ts';

/** How calls fail when their agent has ended, or the way to it. */
const GONE: readonly ErrorCode[] = ['agent-failed', 'node-unreachable', 'protocol-error'];

/**
 * Gives back what is held on a node: by the agent that is there, or, when that has ended without doing so itself (killed, out
 * of memory), by one that is opened for this alone. The step begins anew then.
 */
export async function givingBack<T>(
  c: Pick<Connections, 'cluster' | 'agents'>,
  node: string,
  step: (agents: Agents) => Promise<T>,
): Promise<T> {
  try {
    return await step(c.agents);
  } catch (e) {
    const config = c.cluster.nodes.find((n) => n.name === node);
    if (!config || !(e instanceof SkepError) || !GONE.includes(e.code)) throw e;
    const agent = await openAgent(config, c.cluster);
    try {
      return await step(new Map([[node, agent]]));
    } finally {
      await agent.close();
    }
  }
}
