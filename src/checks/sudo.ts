import { forNode } from '../config/load.ts';
import { quoteAll } from '../remote/quote.ts';
import { type Check, type CheckResult, fail, pass } from './check.ts';
import { onNodes } from './each-node.ts';
import { rolesOf, serviceOf } from './services.ts';

/** Those of the stores' users have shown it already: their agents run. */
export const sudo: Check = {
  id: 'sudo',
  title: 'sudo lets skep start and stop services for a restore',
  needs: 'report',
  async run(ctx) {
    const { cluster } = ctx.connections;
    if (cluster.agent.become !== 'sudo') return [pass('not used: who logs in starts and stops services')];
    const nodes = new Map(cluster.nodes.map((n) => [n.name, n]));
    return onNodes(ctx, { nodes: [...nodes.keys()] }, async (agent, name) => {
      const node = nodes.get(name);
      const refused: string[] = [];
      for (const service of node ? rolesOf(node) : []) {
        const { start, stop } = serviceOf(ctx, service);
        for (const command of [stop, start]) {
          const argv = forNode(command, name);
          // Only asks whether it would be run.
          const ask = { argv: ['sudo', '-n', '-l', '--', ...argv], timeoutMs: 30_000 };
          const { exitCode } = await agent.call('node.run', ask, { signal: ctx.signal });
          if (exitCode !== 0) refused.push(quoteAll(argv));
        }
      }
      return [judgeSudo(name, refused)];
    });
  },
};

export function judgeSudo(node: string, refused: readonly string[]): CheckResult {
  if (refused.length === 0) return pass('sudo runs what starts and stops services', node);
  const cure = `on ${node}: put what \`skep init --sudoers\` prints into /etc/sudoers.d/skep`;
  return fail(`sudo does not run ${refused.join(', ')}`, cure, { node, code: 'sudo-refused' });
}
