import { unlinkSync } from 'node:fs';
import { opendir, rmdir } from 'node:fs/promises';
import { join } from 'node:path';

/** Names that are read at once; between them others get their turn. */
const GROUP = 1024;

/**
 * Removes a folder of pins, which has no folders in it; it need not be there. Node's own removal keeps a promise for each
 * name: of a million attachments that takes gigabytes.
 */
export async function removePins(folder: string): Promise<void> {
  for (;;) {
    try {
      for await (const { name } of await opendir(folder, { bufferSize: GROUP })) unlink(join(folder, name));
      return await rmdir(folder);
    } catch (e) {
      const code = (e as NodeJS.ErrnoException).code;
      if (code === 'ENOENT') return;
      // One that was pinned meanwhile.
      if (code !== 'ENOTEMPTY') throw e;
    }
  }
}

function unlink(path: string): void {
  try {
    unlinkSync(path);
  } catch (e) {
    if ((e as NodeJS.ErrnoException).code !== 'ENOENT') throw e;
  }
}
