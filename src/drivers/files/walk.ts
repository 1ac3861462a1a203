import { opendirSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { KnownFolders } from './known-folders.ts';

/** Where the hard links of a running backup are. */
export const PIN_FOLDER = '.skep-pins';

/** Where a restore sets the previous files aside. */
export const UNDO_FOLDER = '.skep-undo';

/** skep's own folders are never part of what is backed up. */
const OWN = new Set([PIN_FOLDER, UNDO_FOLDER]);

/** Names that are read at once; some milliseconds also where a folder has a million. */
const GROUP = 1024;

/** Every regular file below `root`, as a path relative to it with `/`; a folder that vanishes meanwhile is left out. */
export async function* walkFiles(root: string): AsyncGenerator<string> {
  for await (const group of walkInGroups(root)) yield* group;
}

/**
 * The same in groups of at most a thousand: a tenth of the time. Other work gets its turn between two groups. The files of a folder
 * that is as it was when `known` saw it walked do not come.
 */
export async function* walkInGroups(root: string, below = '', known?: KnownFolders): AsyncGenerator<string[]> {
  const seen = known?.look(below);
  if (seen?.folders !== undefined) {
    for (const folder of seen.folders) yield* walkInGroups(root, folder, known);
    return;
  }
  const folders: string[] = [];
  let dir;
  try {
    dir = opendirSync(join(root, below), { bufferSize: GROUP });
  } catch (e) {
    if (below !== '' && (e as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw e;
  }
  try {
    let group: string[] = [];
    for (let e = dir.readSync(); e !== null; e = dir.readSync()) {
      const path = below === '' ? e.name : `${below}/${e.name}`;
      if (e.isDirectory()) folders.push(path);
      else if (e.isFile() && group.push(path) === GROUP) {
        yield group;
        group = [];
        await nextTurn();
      }
    }
    yield group;
  } finally {
    dir.closeSync();
  }
  const others = folders.filter((folder) => !OWN.has(folder));
  seen?.walked(others);
  for (const folder of others) yield* walkInGroups(root, folder, known);
}

const ATTACHMENT = /^attachment\/([0-9a-f]{64})$/;

/** The SHA-256 that an attachment's name promises; undefined for any other file. */
export function promisedHash(path: string): string | undefined {
  return ATTACHMENT.exec(path)?.[1];
}
