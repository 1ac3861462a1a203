import type { Results } from '../protocol/methods.ts';
import { type Check, type CheckResult, pass, warn } from './check.ts';
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
    const { location, node } = ctx.connections.cluster.files;
    return onNodes(ctx, [node], async (agent) => [
      judgeSample(
        node,
        location,
        await agent.call('files.sample', { location, count: SAMPLE }, { signal: ctx.signal }),
      ),
    ]);
  },
};

export function judgeSample(node: string, location: string, sample: Results['files.sample']): CheckResult {
  const { looked, mismatched } = sample;
  if (mismatched.length === 0) return pass(`${count(looked, 'attachment')} of ${location} read, all as named`, node);
  const names = mismatched.slice(0, NAMED).join(', ');
  const more = mismatched.length > NAMED ? `, and ${mismatched.length - NAMED} more` : '';
  const seen = `${mismatched.length} of ${looked} attachments read in ${location} are damaged: ${names}${more}`;
  return warn(seen, 'bring them back from a backup of before: skep restore ID --store files', node);
}
