import { opendir } from 'node:fs/promises';
import { join } from 'node:path';

/** Where the hard links of a running backup are. */
export const PIN_FOLDER = '.skep-pins';

/** Where a restore sets the previous files aside. */
export const UNDO_FOLDER = '.skep-undo';

/** skep's own folders are never part of what is backed up. */
const OWN = new Set([PIN_FOLDER, UNDO_FOLDER]);

/** Every regular file below `root`, as a path relative to it with `/`; a folder that vanishes meanwhile is left out. */
export async function* walkFiles(root: string, below = ''): AsyncGenerator<string> {
  let dir;
  try {
    dir = await opendir(join(root, below), { bufferSize: 1024 });
  } catch (e) {
    if (below !== '' && (e as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw e;
  }
  for await (const e of dir) {
    const path = below === '' ? e.name : `${below}/${e.name}`;
    if (e.isDirectory()) {
      if (!OWN.has(path)) yield* walkFiles(root, path);
    } else if (e.isFile()) yield path;
  }
}

/** The SHA-256 that an attachment's name promises; undefined for any other file. */
export function promisedHash(path: string): string | undefined {
  return /^attachment\/([0-9a-f]{64})$/.exec(path)?.[1];
}
