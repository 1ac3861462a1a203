import { type Check, type CheckResult, fail, pass } from './check.ts';
import { onCassandra } from './each-node.ts';

/** Which addresses a node's machine has, as its agent sees it, and on which its Cassandra says that it listens. */
export interface Listening {
  node: string;
  /** `cassandra` in the configuration. */
  configured: string;
  machine: readonly string[];
  listens: string;
}

/** Nothing but its address joins what CQL says of a node to what its agent reads there. */
export const addresses: Check = {
  id: 'addresses',
  title: 'the Cassandra that answers for a node runs on it',
  needs: 'preflight',
  async run(ctx) {
    const found: Listening[] = [];
    const failures = await onCassandra(ctx, async ({ agent, cql, node }) => {
      const { addresses: machine } = await agent.call('node.facts', { paths: [] }, { signal: ctx.signal });
      const [local] = await cql.query('SELECT listen_address FROM system.local');
      found.push({ node: node.name, configured: cql.address, machine, listens: String(local?.listen_address) });
      return [];
    });
    return [...failures, ...judgeAddresses(found)];
  },
};

/**
 * Refuses only what is certain: the address is that of another node's machine. A container has addresses that no machine has, and
 * nodes of one machine have them all.
 */
export function judgeAddresses(found: readonly Listening[]): CheckResult[] {
  const refused = found.flatMap(({ node, configured, machine, listens }) => {
    const other = found.find((o) => o.node !== node && o.machine.includes(listens));
    if (machine.includes(listens) || other === undefined) return [];
    const seen = `the Cassandra at ${configured} listens on ${listens}, an address of ${other.node} and not of ${node}`;
    const cure = `mend \`cassandra\` of ${node} and ${other.node} in skep.yaml: each has the address of its own Cassandra`;
    return [fail(seen, cure, { node, code: 'topology-mismatch' })];
  });
  if (refused.length > 0) return refused;
  const own = found.filter(({ machine, listens }) => machine.includes(listens)).map(({ node }) => node);
  const names = own.sort().join(', ');
  return [pass(own.length > 0 ? `of ${names} the address is their own` : 'no machine has the address itself')];
}
