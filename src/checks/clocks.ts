import { type ClockOffset, spreadOf } from '../cut/clock.ts';
import { type Check, type CheckResult, fail, pass, warn } from './check.ts';

const CURE = 'run `chronyc tracking` on every node, and mend the one that is off';

export const clocks: Check = {
  id: 'clocks',
  title: 'the clocks of the nodes agree',
  needs: 'preflight',
  async run(ctx) {
    return judgeClocks(ctx.clocks, ctx.connections.cluster.cut.max_clock_skew);
  },
};

/** Above the limit a cut is refused; above half of it somebody should look. */
export function judgeClocks(offsets: readonly ClockOffset[], limitMs: number): CheckResult[] {
  if (offsets.length === 0) return [fail('no clock could be measured', 'run `skep check` when the nodes answer')];
  const spreadMs = spreadOf(offsets) / 1000;
  const each = offsets.map((o) => `${o.node} ${signed(o.offsetUs / 1000)} ms`).join(', ');
  const seen = `at most ${spreadMs.toFixed(1)} ms apart, the limit is ${limitMs} ms (${each})`;
  if (spreadMs > limitMs) return [fail(seen, CURE, { code: 'clock-skew' })];
  return [spreadMs > limitMs / 2 ? warn(seen, CURE) : pass(seen)];
}

function signed(ms: number): string {
  return `${ms < 0 ? '' : '+'}${ms.toFixed(1)}`;
}
