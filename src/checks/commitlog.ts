import { isFull } from '../cut/is-full.ts';
import type { TopologyNode } from '../discovery/topology.ts';
import type { CommitlogLook, NodeFacts } from '../protocol/methods.ts';
import { type Check, type CheckResult, fail, pass } from './check.ts';
import { onCassandra } from './each-node.ts';
import { bytes, count } from './format.ts';

export const commitlog: Check = {
  id: 'commitlog',
  title: 'the commit log can be read and pinned',
  needs: 'preflight',
  async run(ctx) {
    return onCassandra(ctx, async ({ agent, node }) => {
      const { commitlogDir } = node;
      const opts = { signal: ctx.signal };
      const look = await agent.call('look.commitlog', { commitlogDir }, opts);
      const facts = await agent.call('node.facts', { paths: [commitlogDir] }, opts);
      return [judgeCommitlog(node, look, facts)];
    });
  },
};

export function judgeCommitlog(
  node: Pick<TopologyNode, 'name' | 'commitlogDir' | 'commitlogEncrypted'>,
  look: CommitlogLook,
  agent: Pick<NodeFacts, 'user' | 'uid' | 'protectedHardlinks'>,
): CheckResult {
  const at = { node: node.name };
  const owner = look.uid === undefined ? 'Cassandra' : `the user with id ${look.uid}`;
  const cure = `let skep log in as ${owner} on ${node.name}: \`ssh.user\` in skep.yaml`;
  if (node.commitlogEncrypted) {
    return fail(
      `the commit log in ${node.commitlogDir} is encrypted, skep cannot read it`,
      'set `transparent_data_encryption_options.enabled: false` in cassandra.yaml, then restart the node',
      at,
    );
  }
  if (look.segments === 0) {
    return fail(`no segment in ${node.commitlogDir}`, `look into ${node.commitlogDir} on ${node.name}`, at);
  }
  if (look.unreadable !== undefined) {
    return fail(`${agent.user} may not read the segments in ${node.commitlogDir} (${look.unreadable})`, cure, at);
  }
  if (isFull(look.refused)) {
    const free = `free space at ${look.pinFolder} on ${node.name}`;
    return fail(`no space to link segments into ${look.pinFolder} (${look.refused})`, free, {
      ...at,
      code: 'no-space',
    });
  }
  if (look.refused !== undefined) {
    const why =
      look.refused === 'EPERM' && agent.protectedHardlinks && agent.uid !== look.uid
        ? `only ${owner} may link them, since fs.protected_hardlinks is on`
        : look.refused;
    return fail(`${agent.user} cannot link segments into ${look.pinFolder}: ${why}`, cure, at);
  }
  const size = `${count(look.segments, 'segment')}, ${bytes(look.bytes)}`;
  return pass(`${size}; ${agent.user} reads them and links them into ${look.pinFolder}`, node.name);
}
