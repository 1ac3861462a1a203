import type { CheckContext, CheckFinding } from '../checks/check.ts';
import { alterReplication, planReplicationFix } from '../checks/fix-replication.ts';
import { planRepairFix, repairNodes } from '../checks/fix-repair.ts';
import type { FixPlan } from '../checks/plan-fix.ts';
import { refusalOf } from '../checks/preflight.ts';
import { CHECKS } from '../checks/registry.ts';
import { runChecks, selectChecks } from '../checks/run-checks.ts';
import type { ClusterConfig } from '../config/schema.ts';
import { discover } from '../discovery/discover.ts';
import { SkepError } from '../errors.ts';
import type { Emit } from '../events.ts';
import { connectSome } from './connect-some.ts';
import { type Connections, disconnect, measureClocks } from './connections.ts';

export type Fix = 'replication' | 'repair';

export interface CheckOptions {
  /** What to mend; the plan is emitted first. */
  fix?: Fix;
  /** Ids of the checks to run; all, or those about the fix, when absent. */
  only?: readonly string[];
  /** Shows the plan of a fix and changes nothing. */
  dryRun?: boolean;
  signal: AbortSignal;
  emit: Emit;
}

export interface CheckReport {
  cluster: string;
  /** True when nothing failed. */
  ok: boolean;
  passed: number;
  warned: number;
  failed: number;
  findings: CheckFinding[];
  fix?: { fix: Fix; done: boolean; steps: FixPlan['steps'] };
}

/**
 * Looks at a cluster and tells what is well, what is not, and what mends it; mends one thing when asked to. A node that
 * does not answer is a finding. Errors: wrong credentials of any kind, no agent or no Cassandra node at all, and those
 * of the fix (`preflight-failed` when the cluster is in no state for it, `command-failed`, `cql-failed`).
 */
export async function check(cluster: ClusterConfig, opts: CheckOptions): Promise<CheckReport> {
  const { signal, emit, fix } = opts;
  selectChecks(CHECKS, opts.only);
  emit({ type: 'run-started', command: 'check', run: `check-${Date.now()}`, cluster: cluster.name });
  const { connections, findings: reached } = await connectSome(cluster, signal);
  try {
    for (const { code: _, ...f } of reached) emit({ type: 'check', ...f });
    const mended = fix ? await mend(connections, reached, { ...opts, fix }) : undefined;
    const only = opts.only ?? (fix ? [...ABOUT[fix]] : undefined);
    const found = await runChecks(await contextOf(connections, signal), CHECKS, { ...(only ? { only } : {}), emit });
    const findings = [...reached, ...found];
    const refused = findings.find((f) => f.code?.endsWith('-credentials'));
    if (refused) throw refusalOf([refused, ...findings.filter((f) => f !== refused)]);
    return { ...summarize(cluster.name, findings), ...(mended ? { fix: mended } : {}) };
  } finally {
    await disconnect(connections);
  }
}

/** The checks that tell whether a fix has helped. */
const ABOUT = { replication: ['replication', 'repair'], repair: ['repair'] } as const satisfies Record<Fix, string[]>;

/** What must hold before anything is mended: a repair needs every replica, a change of the schema every node. */
const BEFORE_FIX = ['nodes-up', 'schema', 'streams'];

async function contextOf(connections: Connections, signal: AbortSignal): Promise<CheckContext> {
  return {
    connections,
    topology: await discover(connections.cluster, connections.cql),
    clocks: await measureClocks(connections.agents),
    signal,
    now: Date.now(),
  };
}

async function mend(
  c: Connections,
  reached: readonly CheckFinding[],
  o: CheckOptions & { fix: Fix },
): Promise<NonNullable<CheckReport['fix']>> {
  const ctx = await contextOf(c, o.signal);
  const refusal = refusalOf([...reached, ...(await runChecks(ctx, CHECKS, { only: BEFORE_FIX }))]);
  if (refusal) {
    throw new SkepError('preflight-failed', `${o.fix} is not mended now: ${refusal.message}`, {
      hint: refusal.hint,
      context: refusal.context,
    });
  }
  const plan =
    o.fix === 'repair'
      ? planRepairFix(ctx.topology)
      : planReplicationFix(ctx.topology, c.cluster.cassandra.replication);
  o.emit({ type: 'plan', steps: plan.steps });
  if (o.dryRun) return { fix: o.fix, done: false, steps: plan.steps };
  if (plan.statement) await alterReplication(c, plan.statement, o.signal);
  await repairNodes(c, ctx.topology, plan.repair, o);
  return { fix: o.fix, done: true, steps: plan.steps };
}

function summarize(cluster: string, findings: CheckFinding[]): CheckReport {
  const number = (verdict: CheckFinding['verdict']) => findings.filter((f) => f.verdict === verdict).length;
  const failed = number('fail');
  return { cluster, ok: failed === 0, passed: number('pass'), warned: number('warn'), failed, findings };
}
