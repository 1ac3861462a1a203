import { type Check, type CheckResult, fail, pass } from './check.ts';
import { count } from './format.ts';
import { onCassandra } from './each-node.ts';

/** What a node is doing beside serving requests. */
export interface Activity {
  node: string;
  /** Streams that have not ended: repair, bootstrap, bulk load, … */
  streams: string[];
  /** Keyspaces of repairs that this node leads and that have not ended. */
  repairs: string[];
  /** Kinds of running tasks on SSTables, such as `compaction`. */
  tasks: string[];
}

export const streams: Check = {
  id: 'streams',
  title: 'no stream and no repair is under way',
  needs: 'preflight',
  async run(ctx) {
    return onCassandra(ctx, async ({ cql, node }) => {
      const streaming = await cql.query('SELECT operation, status, progress_percentage FROM system_views.streaming');
      const repairs = await cql.query('SELECT keyspace_name, completed FROM system_views.repairs');
      const tasks = await cql.query('SELECT kind FROM system_views.sstable_tasks');
      return [
        judgeActivity({
          node: node.name,
          streams: streaming
            .filter((s) => s.status !== 'success' && s.status !== 'failure')
            .map((s) => `${s.operation} at ${Math.round(Number(s.progress_percentage))} %`),
          repairs: repairs.filter((r) => r.completed === false).map((r) => String(r.keyspace_name)),
          tasks: tasks.map((t) => String(t.kind).toLowerCase()),
        }),
      ];
    });
  },
};

/** Streams and repairs bring data past the commit log, so that a cut misses it; compactions move what is there. */
export function judgeActivity(a: Activity): CheckResult {
  const found = [
    ...a.streams.map((s) => `stream: ${s}`),
    ...a.repairs.map((k) => `repair of ${k}`),
    ...(a.tasks.includes('validation') && a.repairs.length === 0 ? ['validation for a repair'] : []),
  ];
  if (found.length > 0) {
    const cure = 'wait until it has ended: `nodetool netstats`, `nodetool compactionstats`';
    return fail(found.join(', '), cure, { node: a.node });
  }
  const busy = a.tasks.length === 0 ? '' : `; ${count(a.tasks.length, 'task')} on SSTables (${summary(a.tasks)})`;
  return pass(`no stream, no repair${busy}`, a.node);
}

function summary(tasks: readonly string[]): string {
  const of = new Map<string, number>();
  for (const t of tasks) of.set(t, (of.get(t) ?? 0) + 1);
  return [...of].map(([kind, n]) => (n === 1 ? kind : `${n} × ${kind}`)).join(', ');
}
