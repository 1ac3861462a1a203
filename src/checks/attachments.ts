import { join } from 'node:path';
import type { Results } from '../protocol/methods.ts';
import { type Check, type CheckResult, fail, pass } from './check.ts';
import { onNodes } from './each-node.ts';
import { count } from './format.ts';

/** How many attachments are read. */
const SAMPLE = 200;
/** How many are named. */
const NAMED = 20;

export const attachments: Check = {
  id: 'attachments',
  title: 'the content of attachments is what their names promise',
  needs: 'report',
  async run(ctx) {
    const { location, node, accept_damaged } = ctx.connections.cluster.files;
    return onNodes(ctx, { nodes: [node], store: 'files' }, async (agent) => [
      judgeSample(
        node,
        location,
        await agent.call('files.sample', { ...ctx.connections.attachments, count: SAMPLE }, { signal: ctx.signal }),
        accept_damaged,
      ),
    ]);
  },
};

/** A backup is refused for a damaged attachment that it comes across, unless the configuration accepts it. */
export function judgeSample(
  node: string,
  location: string,
  sample: Results['files.sample'],
  accepted: readonly string[],
): CheckResult {
  const { looked } = sample;
  const damaged = sample.mismatched.filter((path) => !accepted.includes(path));
  if (damaged.length === 0) {
    const known = sample.mismatched.length;
    const but = known === 0 ? '' : ` but ${count(known, 'damaged one', 'damaged ones')} that skep.yaml accepts`;
    return pass(`${count(looked, 'attachment')} of ${location} read, all as named${but}`, node);
  }
  const names = damaged.slice(0, NAMED).join(', ');
  const more = damaged.length > NAMED ? `, and ${damaged.length - NAMED} more` : '';
  const seen = `${damaged.length} of ${looked} attachments read in ${location} are damaged: ${names}${more}`;
  const cure = `on ${node}: copy the content whose hash (mostly its sha256sum) is the name to ${join(location, damaged[0] ?? '')}; lost for good: name it under \`files.accept_damaged\` in skep.yaml`;
  return fail(seen, cure, { node });
}
