import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { promisedContent } from '../../drivers/files/walk.ts';
import type { Results } from '../../protocol/methods.ts';
import { hashFile } from '../hash-file.ts';
import type { MethodHandlers } from '../handlers.ts';

/** An attachment that was written to so short a time ago may not be whole yet: TheHive writes in place. */
const WRITING_MS = 15_000;

type State = Results['files.judge']['states'][number]['state'];

export const attachmentHandlers = {
  async 'files.judge'(p, { signal }) {
    const states = [];
    for (const path of p.paths) states.push({ path, state: await stateOf(join(p.location, path), path, signal) });
    return { states };
  },
} satisfies Partial<MethodHandlers>;

async function stateOf(absolute: string, path: string, signal: AbortSignal): Promise<State> {
  signal.throwIfAborted();
  const before = await stat(absolute).catch(() => undefined);
  if (!before) return 'gone';
  const promised = promisedContent(path);
  if (promised && (await hashFile(absolute, promised.algorithm, signal)) === promised.hash) return 'whole';
  const now = await stat(absolute).catch(() => undefined);
  if (!now) return 'gone';
  return now.mtimeMs !== before.mtimeMs || Date.now() - now.mtimeMs < WRITING_MS ? 'changing' : 'damaged';
}
