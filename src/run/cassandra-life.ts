import { setTimeout as delay } from 'node:timers/promises';
import { closeCqlSessions, openCqlSessions } from '../discovery/discover.ts';
import { nodetool, nodetoolArgv, nodetoolError } from '../drivers/cassandra/nodetool.ts';
import { SkepError, toSkepError } from '../errors.ts';
import { agentOf, type Connections, onCassandraNodes } from './connections.ts';
import type { Journal } from './journal.ts';
import type { RestoreWork } from './restore-work.ts';
import { isActive, nodesOf, startService, stopService } from './services.ts';

const START_MS = 600_000;
/** How long a node that was started by others on half a layout may take until it is drained, or given up. */
const AWAKE_MS = 120_000;

const FACT = 'cassandra';

/** Whether an unfinished restore may have left Cassandra stopped: then no node can be asked by CQL. */
export function mayBeDown(journal: Journal): boolean {
  return journal.fact(FACT) !== undefined && !journal.isDone('start-cassandra');
}

/**
 * Flushes every node's memtables and ends its writes, so that no commit log holds what is nowhere else. A node that is
 * down (an interrupted restore, a reboot) is started for that: nobody knows whether it was drained. May be repeated.
 */
export async function drainAll(w: RestoreWork): Promise<void> {
  await w.journal.setFact(FACT, 'going down');
  await closeCqlSessions(w.c.cql);
  w.c.cql = new Map();
  if (w.journal.resumed) await bringUp(w);
  await onCassandraNodes(w.c, (_, node) => drain(w, node));
}

/** Starts what is down, and waits until every node can be drained or was. */
async function bringUp(w: RestoreWork): Promise<void> {
  const running = await onCassandraNodes(w.c, (_, node) => isActive(w.c, node, 'cassandra', w.signal));
  if ([...running.values()].includes(false)) {
    // A node finds nobody to gossip with among drained ones, and most do not start alone: these start anew as well.
    await onCassandraNodes(w.c, async (_, node) => {
      if (!running.get(node) || !(await modeOf(w, node)).includes('Mode: DRAINED')) return;
      await stopService(w.c, node, 'cassandra', w.signal);
    });
    await onCassandraNodes(w.c, (_, node) => startService(w.c, node, 'cassandra', w.signal));
  }
  await onCassandraNodes(w.c, (_, node) => untilUp(w, node, START_MS));
}

/** A drain while a node starts would stop its replay. One that was drained before serves no CQL, but may be asked again. */
async function untilUp(w: RestoreWork, node: string, withinMs: number): Promise<void> {
  const deadline = Date.now() + withinMs;
  for (;;) {
    const mode = await modeOf(w, node);
    if (/^Mode: (NORMAL|DRAINED)/m.test(mode)) return;
    if (Date.now() > deadline) {
      throw new SkepError('command-failed', `${node} is not up after ${withinMs / 1000} s: ${mode.split('\n')[0]}`, {
        context: { node },
      });
    }
    await delay(1000, undefined, { signal: w.signal });
  }
}

async function drain(w: RestoreWork, node: string): Promise<void> {
  const agent = agentOf(w.c.agents, node, 'cassandra');
  await nodetool(agent, w.c.cluster, ['drain'], { signal: w.signal, timeoutMs: START_MS });
}

/** What `nodetool netstats` says, whatever its exit code; the reason when it says nothing, as while a node starts. */
async function modeOf(w: RestoreWork, node: string): Promise<string> {
  const args = ['netstats'];
  const argv = nodetoolArgv(w.c.cluster, node, args);
  const agent = agentOf(w.c.agents, node, 'cassandra');
  const r = await agent.call('node.run', { argv, timeoutMs: 120_000 }, { signal: w.signal });
  if (/^Mode: /m.test(r.stdout)) return r.stdout;
  const error = nodetoolError(node, args, r.exitCode, `${r.stdout}\n${r.stderr}`);
  if (error.code === 'jmx-credentials') throw error;
  return error.message;
}

/**
 * Before a resumed restore goes on laying out files: a machine that was booted meanwhile may have started Cassandra on
 * half of them. It is drained and stopped again, and the layout begins anew; nothing that was set aside is lost.
 */
export async function keepStopped(w: RestoreWork): Promise<void> {
  const awake: string[] = [];
  for (const n of nodesOf(w.c.cluster, 'cassandra')) {
    if (await isActive(w.c, n.name, 'cassandra', w.signal)) awake.push(n.name);
  }
  for (const node of awake) {
    const text = `${node}: Cassandra was started while it was being restored; it is stopped again`;
    w.emit({ type: 'warning', text, context: { node } });
    // One that cannot start on half a layout cannot be drained; its commit log is set aside, not deleted.
    try {
      await untilUp(w, node, AWAKE_MS);
      await drain(w, node);
    } catch (e) {
      w.signal.throwIfAborted();
      w.emit({ type: 'warning', text: `${node} was not drained: ${toSkepError(e).message}`, context: { node } });
    }
  }
  // Also where it is not active: a unit that fails and is started again and again is seen as active only at times.
  await onCassandraNodes(w.c, (_, node) => stopService(w.c, node, 'cassandra', w.signal));
  if (awake.length > 0) await w.journal.forget('aside-cassandra', 'cassandra');
}

/** Starts every node and waits until all answer CQL. May be repeated. */
export async function startAll(w: RestoreWork): Promise<void> {
  await w.journal.setFact(FACT, 'coming up');
  await onCassandraNodes(w.c, (_, node) => startService(w.c, node, 'cassandra', w.signal));
  await renewCql(w.c, w.signal);
}

/** Connects to CQL anew after a restart; waits until every node answers. */
export async function renewCql(c: Connections, signal: AbortSignal): Promise<void> {
  const deadline = Date.now() + START_MS;
  for (;;) {
    try {
      const fresh = await openCqlSessions(c.cluster);
      await closeCqlSessions(c.cql);
      c.cql = fresh;
      return;
    } catch (e) {
      if (Date.now() > deadline || (e instanceof SkepError && e.code === 'cql-credentials')) throw e;
      await delay(1000, undefined, { signal });
    }
  }
}
