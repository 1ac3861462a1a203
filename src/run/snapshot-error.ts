import { SkepError } from '../errors.ts';
import type { AgentProcess } from '../remote/agent-process.ts';

/** With less than this free a folder may not be had. */
const NOTHING_BYTES = 1024 * 1024;

/**
 * What a `nodetool snapshot` that failed is: `no-space` where a disk of the node is full. Cassandra says only that it could
 * not make a folder, not why.
 */
export async function snapshotError(agent: AgentProcess, e: unknown, dataDirs: readonly string[]): Promise<unknown> {
  if (!(e instanceof SkepError) || e.code !== 'command-failed') return e;
  const named = /(?:^|\s)(\/\S+)/.exec(e.message)?.[1];
  const paths = [...(named === undefined ? [] : [named]), ...dataDirs];
  const facts = await agent.call('node.facts', { paths }).catch(() => undefined);
  const full = facts?.space.find((s) => s.freeBytes < NOTHING_BYTES);
  if (!full) return e;
  return new SkepError('no-space', `no space at ${full.path}: ${e.message}`, { context: e.context, cause: e });
}
