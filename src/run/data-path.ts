import { join } from 'node:path';
import { type ErrorCode, SkepError, toSkepError } from '../errors.ts';
import type { Space } from '../protocol/methods.ts';
import type { AgentProcess } from '../remote/agent-process.ts';
import { type Store, storesOn } from '../remote/become.ts';
import { openRepository, type RepositoryAccess } from '../repository/index.ts';
import { agentOf, type Connections } from './connections.ts';

/** What an agent finds where the repository is. */
export interface Reach {
  node: string;
  store: Store;
  found: Found;
}

/**
 * `absent`: the storage is not there for this node, so that its bytes must go through this machine. `unfit`: it is there,
 * and something about it is wrong.
 */
export type Found =
  { as: 'there' } | { as: 'absent' | 'unfit'; seen: string; cure: string; code?: ErrorCode; reads?: boolean };

/**
 * Asks every agent that stores something whether it reaches the repository; once, the answer is kept with the connections. Nodes
 * without an agent are left out. With `agent.data_path: relay` nobody is asked.
 */
export async function lookFromNodes(c: Connections, signal: AbortSignal): Promise<readonly Reach[]> {
  return (c.reach ??= await Promise.all(
    storingAgents(c).map(async ({ node, store }) => ({ node, store, found: await lookFrom(c, node, store, signal) })),
  ));
}

/** Whether the bytes of a store go through this machine. */
export function isRelayed(c: Connections, node: string, store: Store): boolean {
  const { data_path: wanted, become } = c.cluster.agent;
  if (wanted !== 'auto') return wanted === 'relay';
  // Without `become` one agent does it all.
  return (
    c.reach?.some((r) => r.node === node && (become === 'none' || r.store === store) && r.found.as === 'absent') ===
    true
  );
}

/**
 * What an agent is given to open the repository with: no storage's credentials where its bytes are relayed; its node is then
 * answered from now on.
 */
export function accessFor(c: Connections, node: string, store: Store): RepositoryAccess {
  if (!isRelayed(c, node, store)) return c.access;
  c.relay.open(node);
  const { s3: _, ...access } = c.access;
  return { ...access, relayed: true };
}

/** The agents that store something: with `become` those of one node are other users. */
function storingAgents({ agents, cluster }: Connections): { node: string; store: Store }[] {
  return cluster.nodes.flatMap((n) => {
    if (!agents.has(n.name)) return [];
    const stores = storesOn(n, cluster);
    const alike = cluster.agent.become === 'none' ? stores.slice(0, 1) : stores;
    return alike.map((store) => ({ node: n.name, store }));
  });
}

async function lookFrom(c: Connections, node: string, store: Store, signal: AbortSignal): Promise<Found> {
  const { access, agents, cluster } = c;
  const agent = agentOf(agents, node, store);
  if (cluster.agent.data_path === 'relay') return { as: 'absent', seen: 'agent.data_path is relay', cure: '' };
  const { location, s3 } = access;
  if (s3 !== undefined) {
    return (await otherThan({ agent, node, repository: { location, s3 }, change: true }, signal)) ?? { as: 'there' };
  }
  const { space, user } = await agent.call(
    'node.facts',
    { paths: [location, join(location, 'skep.json')] },
    { signal },
  );
  const mount = judgeMount({ node, user, folder: space[0] as Space, marker: space[1] as Space });
  if (mount.as === 'absent' || !space[1]?.readable) return mount;
  const other = await otherThan({ agent, node, repository: { location }, change: false }, signal);
  return other ?? mount;
}

/** Before a restore: every node must be able to read. Errors: `repository-missing`, `repository-foreign`, `preflight-failed`. */
export async function requireReading(c: Connections, signal: AbortSignal): Promise<void> {
  for (const { node, found } of await lookFromNodes(c, signal)) {
    if (found.as === 'there' || (found.as === 'absent' && c.cluster.agent.data_path !== 'direct')) continue;
    // What cannot be written to an object storage may well be read, unless it is another one.
    const reads = found.as === 'unfit' && (found.reads === true || c.access.s3 !== undefined);
    if (reads && found.code !== 'repository-foreign') continue;
    const { seen, cure: hint, code = 'preflight-failed' } = found;
    throw new SkepError(code, `${node}: ${seen}`, { hint, context: { node } });
  }
}

/** How the data get into the repository, as a plan tells it. */
export function tellDataPaths(c: Connections): string[] {
  const through = new Map<string, string>();
  for (const { node, store, found } of c.reach ?? []) {
    if (isRelayed(c, node, store)) through.set(node, found.as === 'there' ? '' : found.seen);
  }
  const { location } = c.access;
  const direct = [...new Set((c.reach ?? []).map(({ node }) => node))].filter((node) => !through.has(node));
  return [
    ...(direct.length > 0 ? [`${direct.join(', ')} write straight into ${location}`] : []),
    ...[...through].map(([node, why]) => `${node} sends through this machine (${why})`),
  ];
}

/** What is asked of an agent about the repository. */
interface Question {
  agent: AgentProcess;
  node: string;
  /** Without keys: it tells without them which one it is. */
  repository: Pick<RepositoryAccess, 'location' | 's3'>;
  /** Also whether the storage does what a backup relies on. */
  change: boolean;
}

/** What is wrong with what a node finds where the repository is; undefined when it is the same as here. */
async function otherThan(q: Question, signal: AbortSignal): Promise<Found | undefined> {
  const { node, repository } = q;
  try {
    const { id } = await openRepository(repository);
    const there = await q.agent.call('look.repository', { repository, change: q.change }, { signal });
    if (there.id === id) return undefined;
    const seen = `${repository.location} is another repository there (${there.id}, not ${id})`;
    const same =
      repository.s3 === undefined ? 'mount the same storage as here' : 'let the endpoint mean the same storage as here';
    return { as: 'unfit', seen, cure: `on ${node}: ${same}`, code: 'repository-foreign' };
  } catch (e) {
    const { message, hint, code } = toSkepError(e);
    if (signal.aborted || code === 'node-unreachable' || code === 'agent-failed') throw e;
    const as = code === 'repository-failed' && repository.s3 !== undefined ? 'absent' : 'unfit';
    return { as, seen: message, cure: `on ${node}: ${hint}`, code };
  }
}

/** A folder without skep.json is one where the shared storage is not mounted: a node would fill its own disk. */
export function judgeMount(o: { node: string; user: string; folder: Space; marker: Space }): Found {
  const { folder, marker, node } = o;
  if (!folder.exists || !marker.exists) {
    const seen = folder.exists
      ? `${folder.path} is there, but the repository is not in it`
      : `${folder.path} is not there`;
    const cure = `mount the repository's storage at ${folder.path} on ${node}`;
    return { as: 'absent', seen, cure, code: 'repository-missing' };
  }
  if (!folder.readable || !folder.writable || !marker.readable) {
    const seen = `${o.user} may not ${folder.writable ? 'read' : 'write'} ${folder.path}`;
    const cure = `on ${node}: give ${o.user} the right to write ${folder.path}`;
    return { as: 'unfit', seen, cure, reads: folder.readable && marker.readable };
  }
  return { as: 'there' };
}
