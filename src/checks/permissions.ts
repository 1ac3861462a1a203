import { join } from 'node:path';
import { isFull } from '../cut/is-full.ts';
import { PIN_FOLDER } from '../drivers/files/walk.ts';
import type { NodeFacts, Results, Space } from '../protocol/methods.ts';
import { isS3Location } from '../s3/location.ts';
import { type Check, type CheckContext, type CheckResult, fail, pass, warn } from './check.ts';
import { onCassandra, onNodes } from './each-node.ts';

export const permissions: Check = {
  id: 'permissions',
  title: 'skep may read what it backs up',
  needs: 'preflight',
  async run(ctx) {
    const { files, elasticsearch } = ctx.connections.cluster;
    return [
      ...(await onCassandra(ctx, async ({ agent, node }) => {
        const facts = await agent.call('node.facts', { paths: node.dataDirs }, { signal: ctx.signal });
        return judgeFolders(node.name, facts, 'data folder');
      })),
      ...(await onNodes(ctx, { nodes: [files.node], store: 'files' }, async (agent, node) => {
        if (isS3Location(files.location)) {
          const o = { ...ctx.connections.attachments, change: false };
          const look = await agent.call('look.bucket', o, { signal: ctx.signal });
          return judgeBucket(node, files.location, look);
        }
        const facts = await agent.call('node.facts', { paths: [files.location] }, { signal: ctx.signal });
        const rights = judgeFolders(node, facts, 'folder of attachments');
        return rights.some((r) => r.verdict === 'fail') ? rights : [...rights, ...(await lookAtLinks(ctx, facts))];
      })),
      ...(await onNodes(ctx, { nodes: [elasticsearch.staging.node], store: 'elasticsearch' }, async (agent, node) => {
        const paths = [elasticsearch.staging.location];
        const facts = await agent.call('node.facts', { paths }, { signal: ctx.signal });
        return judgeFolders(node, facts, 'staging folder of Elasticsearch');
      })),
    ];
  },
};

async function lookAtLinks(ctx: CheckContext, facts: NodeFacts): Promise<CheckResult[]> {
  const { node, location } = ctx.connections.cluster.files;
  return onNodes(ctx, { nodes: [node], store: 'files' }, async (agent) => {
    const look = await agent.call(
      'look.link',
      { from: location, into: join(location, PIN_FOLDER) },
      { signal: ctx.signal },
    );
    return judgeLinks(node, facts.user, location, look);
  });
}

/** Where a bucket keeps no versions, an attachment that is made and deleted again between two listings is missed. */
export function judgeBucket(node: string, location: string, look: Results['look.bucket']): CheckResult[] {
  const { refused, versioned } = look;
  const rights =
    refused === undefined
      ? pass(`attachments in ${location} are read and may be written`, node)
      : warn(
          `attachments in ${location} are read, but not written: no restore there (${refused})`,
          'let the key of `files.s3.credentials` write, copy and delete there',
          node,
        );
  if (versioned) return [rights];
  const seen = `${location} keeps no versions: an attachment that is made and deleted during a backup can be missed`;
  return [
    rights,
    warn(seen, 'turn on versioning of the bucket, with a rule that ends old versions after some days', node),
  ];
}

/** Reading is needed for a backup; writing for pins and for a restore. */
export function judgeFolders(node: string, agent: Pick<NodeFacts, 'user' | 'space'>, what: string): CheckResult[] {
  return agent.space.map((s: Space) => {
    if (!s.exists)
      return fail(`the ${what} ${s.path} is not there`, `mend the path in skep.yaml, or mount it on ${node}`, { node });
    const cure = `on ${node}: let ${agent.user} ${s.readable ? 'write' : 'read'} ${s.path}, or set \`ssh.user\` in skep.yaml to its owner`;
    if (!s.readable) return fail(`${agent.user} may not read the ${what} ${s.path}`, cure, { node });
    if (!s.writable)
      return warn(`${agent.user} may read but not write the ${what} ${s.path}: no restore there`, cure, node);
    return pass(`${agent.user} reads and writes the ${what} ${s.path}`, node);
  });
}

/** Without links an attachment that is made and deleted again while the cut is taken can be missed. */
export function judgeLinks(
  node: string,
  user: string,
  location: string,
  look: { tried?: string; refused?: string },
): CheckResult[] {
  if (look.refused === undefined) return [];
  if (isFull(look.refused)) {
    const full = `no space to hard-link attachments in ${location} (${look.refused})`;
    return [fail(full, `free space at ${location} on ${node}`, { node, code: 'no-space' })];
  }
  const seen = `${user} cannot hard-link attachments in ${location} (${look.refused}): one that is deleted during a backup can be missed`;
  return [warn(seen, `let skep log in as the owner of the attachments on ${node}: \`ssh.user\` in skep.yaml`, node)];
}
