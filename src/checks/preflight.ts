import { SkepError } from '../errors.ts';
import type { Emit } from '../events.ts';
import type { CheckContext, CheckFinding } from './check.ts';
import { CHECKS } from './registry.ts';
import { runChecks } from './run-checks.ts';

/**
 * Looks at all that a backup relies on. Throws the typed error of the first failure (`clock-skew`,
 * `version-unsupported`, `topology-mismatch`, `no-space`, `preflight-failed`, …), all of them in its context.
 * Warnings are emitted; what passes is not.
 */
export async function preflight(ctx: CheckContext, opts: { emit?: Emit } = {}): Promise<CheckFinding[]> {
  const checks = CHECKS.filter((c) => c.needs === 'preflight');
  const findings = await runChecks(ctx, checks, {
    emit: (event) => {
      if (event.type !== 'check' || event.verdict !== 'pass') opts.emit?.(event);
    },
  });
  const refusal = refusalOf(findings);
  if (refusal) throw refusal;
  return findings;
}

/** The error for findings of which at least one is a failure. Pure. */
export function refusalOf(findings: readonly CheckFinding[]): SkepError | undefined {
  const failures = findings.filter((f) => f.verdict === 'fail');
  const first = failures[0];
  if (!first) return undefined;
  const more = failures.length > 1 ? ` (and ${failures.length - 1} more)` : '';
  const where = first.node === undefined ? '' : `${first.node}: `;
  return new SkepError(first.code ?? 'preflight-failed', `${first.id}: ${where}${first.seen}${more}`, {
    ...(first.cure === undefined ? {} : { hint: first.cure }),
    context: { failures },
  });
}
