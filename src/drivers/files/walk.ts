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

/** Whether a key of an object storage is a file of TheHive: not skep's own, nor a folder as some programs make them. */
export function isAttachmentKey(key: string): boolean {
  return key !== '' && !key.endsWith('/') && !OWN.has(key.split('/', 1)[0] as string);
}

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

const ATTACHMENT = /^attachment\/([0-9a-f]+)$/;

/** By how many hex digits they give: what `attachment.hash` of TheHive may begin with, its default first. */
const ALGORITHMS: Readonly<Record<number, string>> = {
  64: 'sha256',
  32: 'md5',
  40: 'sha1',
  96: 'sha384',
  128: 'sha512',
};

/** What an attachment's name promises of its content. */
export interface Promised {
  /** As `node:crypto` calls it. */
  algorithm: string;
  /** Lower-case hex digits. */
  hash: string;
}

/**
 * TheHive names an attachment by the first of the hashes that `attachment.hash` lists; undefined for a name that is none.
 */
export function promisedContent(path: string): Promised | undefined {
  const hash = ATTACHMENT.exec(path)?.[1] ?? '';
  const algorithm = ALGORITHMS[hash.length];
  return algorithm === undefined ? undefined : { algorithm, hash };
}

/** The SHA-256 that an attachment's name promises; undefined for any other file. */
export function promisedHash(path: string): string | undefined {
  const promised = promisedContent(path);
  return promised?.algorithm === 'sha256' ? promised.hash : undefined;
}
