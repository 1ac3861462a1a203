import { type AttachmentStore, openAttachments } from '../../drivers/files/attachment-store.ts';
import { promisedContent } from '../../drivers/files/walk.ts';
import type { Results } from '../../protocol/methods.ts';
import type { MethodHandlers } from '../handlers.ts';

/** An attachment that was written to so short a time ago may not be whole yet: TheHive writes in place. */
const WRITING_MS = 15_000;

type State = Results['files.judge']['states'][number]['state'];

export const attachmentHandlers = {
  async 'files.judge'(p, { signal }) {
    const attachments = openAttachments(p);
    const states = [];
    for (const path of p.paths) states.push({ path, state: await stateOf(attachments, path, signal) });
    return { states };
  },
} satisfies Partial<MethodHandlers>;

async function stateOf(attachments: AttachmentStore, path: string, signal: AbortSignal): Promise<State> {
  signal.throwIfAborted();
  const before = await attachments.stateOf(path);
  if (!before) return 'gone';
  const promised = promisedContent(path);
  if (promised && (await attachments.hashOf(path, promised.algorithm, signal)) === promised.hash) {
    // As it was read twice it was not: what is stored is not what the graph refers to.
    return attachments.inPlace ? 'whole' : 'damaged';
  }
  const now = await attachments.stateOf(path);
  if (!now) return 'gone';
  // An object appears whole.
  if (!attachments.inPlace) return 'damaged';
  return now.mtimeMs !== before.mtimeMs || Date.now() - now.mtimeMs < WRITING_MS ? 'changing' : 'damaged';
}
