import { randomUUID } from 'node:crypto';
import { link, mkdir, rm, rmdir } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * Links a file into a folder of pins and removes the link again. Gives why it was refused (`EPERM`, …), `gone` when the
 * file is no longer there, undefined when it went well. A folder that it made is removed.
 */
export async function tryLink(file: string, into: string): Promise<string | undefined> {
  const folder = join(into, `check-${randomUUID()}`);
  try {
    const made = await mkdir(folder, { recursive: true });
    try {
      await link(file, join(folder, 'link'));
    } finally {
      await rm(folder, { recursive: true, force: true });
      // Not when another run has begun to use it meanwhile.
      if (made !== undefined && made !== folder) await rmdir(into).catch(() => {});
    }
    return undefined;
  } catch (e) {
    const code = (e as NodeJS.ErrnoException).code ?? String(e);
    return code === 'ENOENT' ? 'gone' : code;
  }
}
