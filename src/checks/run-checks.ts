import pLimit from 'p-limit';
import { SkepError } from '../errors.ts';
import type { Emit } from '../events.ts';
import type { Check, CheckContext, CheckFinding } from './check.ts';
import { couldNotLook } from './each-node.ts';

/** How many checks look at the same time: they look at a cluster that has other work to do. */
const AT_ONCE = 3;

/**
 * Runs checks and gives their findings in the order of `checks`, in which they are also emitted. A check that fails or
 * cannot look is a finding; it throws only when it is cancelled.
 */
export async function runChecks(
  ctx: CheckContext,
  checks: readonly Check[],
  opts: { only?: readonly string[]; emit?: Emit } = {},
): Promise<CheckFinding[]> {
  const wanted = selectChecks(checks, opts.only);
  const limit = pLimit(AT_ONCE);
  const running = wanted.map((check) => limit(() => runCheck(check, ctx)));
  // All have ended before anything is thrown: nobody closes a connection under a check.
  const settled = Promise.allSettled(running);
  const findings: CheckFinding[] = [];
  try {
    for (const results of running) {
      for (const f of await results) {
        findings.push(f);
        opts.emit?.({ type: 'check', ...withoutCode(f) });
      }
    }
  } finally {
    await settled;
  }
  return findings;
}

/** The checks that are named by `only`, or all. Errors: `usage` for a name that is none. */
export function selectChecks(checks: readonly Check[], only: readonly string[] | undefined): Check[] {
  const unknown = only?.find((id) => !checks.some((c) => c.id === id));
  if (unknown !== undefined) {
    throw new SkepError('usage', `no check is called ${unknown}`, {
      hint: `The checks are: ${checks.map((c) => c.id).join(', ')}.`,
    });
  }
  return checks.filter((c) => only === undefined || only.includes(c.id));
}

async function runCheck(check: Check, ctx: CheckContext): Promise<CheckFinding[]> {
  ctx.signal.throwIfAborted();
  const of = { id: check.id, title: check.title };
  try {
    return (await check.run(ctx)).map((r) => ({ ...of, ...r }));
  } catch (e) {
    ctx.signal.throwIfAborted();
    return [{ ...of, ...couldNotLook(e) }];
  }
}

function withoutCode(f: CheckFinding): Omit<CheckFinding, 'code'> {
  const { code: _, ...event } = f;
  return event;
}
