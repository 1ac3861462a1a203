import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { removePins } from './remove-pins.ts';

/** How often a run touches its folder of pins, and for how long it may not have done so before it is taken for dead. */
export const HEARTBEAT_MS = 5_000;
const DEAD_AFTER_MS = 10 * 60_000;

/** Removes the pins of runs that died without cleaning up. */
export async function removeDeadPins(root: string): Promise<void> {
  for (const name of await readdir(root).catch(() => [])) {
    const folder = join(root, name);
    const s = await stat(folder).catch(() => undefined);
    if (s && Date.now() - s.mtimeMs > DEAD_AFTER_MS) await removePins(folder);
  }
}
