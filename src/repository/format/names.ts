import { randomBytes } from 'node:crypto';

/** 32 bytes in hex: the name of an object or of a piece, or a SHA-256. */
export const NAME_PATTERN = /^[0-9a-f]{64}$/;

/** `20261122T223755Z-1a2b3c4d5e6f`: sorts by time; names a backup and the run that made it. */
export const BACKUP_ID_PATTERN = /^\d{8}T\d{6}Z-[0-9a-f]{12}$/;

/** Names of writers and runs: one safe path component. */
export const COMPONENT_PATTERN = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;

export const DESCRIPTOR_KEY = 'skep.json';

/** The same bytes: nothing else has the repository's id. */
export const DESCRIPTOR_COPY_KEY = 'skep.copy.json';

/** Bytes that nobody reads: a prune on a full disk deletes them first. */
export const BALLAST_KEY = 'ballast';

/** Below it: empty files of the ballast, for a disk that has bytes left and no inode. */
export const BALLAST_FILES = 'ballast-files/';

/** A fresh id for a backup and its run. */
export function newBackupId(now: Date = new Date()): string {
  const stamp = now.toISOString().replace(/[-:]/g, '').replace(/\.\d+/, '');
  return `${stamp}-${randomBytes(6).toString('hex')}`;
}

/** How the end of an object's key tells its encoding; in the order in which the keys of one object sort. */
const SUFFIXES = { raw: '', age: '.age', zstd: '.zst', 'zstd+age': '.zst.age' } as const;

/** How stored bytes are made of a content: as it is, compressed, sealed, or compressed and then sealed. */
export type Encoding = keyof typeof SUFFIXES;

export const ENCODINGS = Object.keys(SUFFIXES) as Encoding[];

/** The encodings of a repository: all of a sealed one's are sealed, none of another's. */
export function encodingsOf(sealed: boolean): readonly [plain: Encoding, compressed: Encoding] {
  return sealed ? ['age', 'zstd+age'] : ['raw', 'zstd'];
}

export function isCompressed(encoding: Encoding): boolean {
  return encoding.startsWith('zstd');
}

export function isSealed(encoding: Encoding): boolean {
  return encoding.endsWith('age');
}

export function objectKey(name: string, encoding: Encoding): string {
  return `${folderOfObjects(name)}${fileNameOf(name, encoding)}`;
}

/** Prefix of the keys of the objects whose names begin like this one. */
export function folderOfObjects(name: string): string {
  return `objects/${name.slice(0, 2)}/`;
}

/** What follows the folder in the key of an object or a piece. */
export function fileNameOf(name: string, encoding: Encoding): string {
  return encoding === 'raw' ? name : `${name}${SUFFIXES[encoding]}`;
}

/** Pieces of trees are always compressed; those of listings are sealed in a sealed repository. */
export function pieceKey(name: string, encoding: 'zstd' | 'zstd+age'): string {
  return `listings/${name.slice(0, 2)}/${fileNameOf(name, encoding)}`;
}

export function manifestKey(id: string): string {
  return `backups/${id}/manifest.json`;
}

/** A second copy, written after the first: tells a lost manifest from one that never was, and can replace it. */
export function manifestCopyKey(id: string): string {
  return `backups/${id}/manifest.copy.json`;
}

/** Written after the manifest, removed before it: a backup that is lost can be told from one that was forgotten. */
export function publishedKey(id: string): string {
  return `published/${id}`;
}

/** A file beside the manifest. */
export function companionKey(id: string, file: string): string {
  return `backups/${id}/${file}`;
}

export function runLogKey(run: string): string {
  return `runs/${run}.ndjson`;
}

export function leaseKey(id: string): string {
  return `leases/${id}.json`;
}

export function revocationKey(id: string): string {
  return `leases/${id}.revoked`;
}

/** Decides once for all whether a sweep may remove anything: created by the sweep, or by who stops it before. */
export function sweepKey(id: string): string {
  return `leases/${id}.sweep`;
}

/** Asks a sweep to stop, on a storage without bins. */
export function stopKey(id: string): string {
  return `leases/${id}.stop`;
}

/** Says of an object or a piece that it was found damaged: who holds its content stores it anew. */
export function damageKey(key: string): string {
  return `damaged/${key}`;
}

/** Below it, by their SHA-256: the stored bytes that have replaced a damaged object or piece. */
export function renewalPrefix(key: string): string {
  return `renewed/${key}/`;
}

export function incomingPrefix(run: string, writer?: string): string {
  return writer === undefined ? `incoming/${run}/` : `incoming/${run}/${writer}/`;
}
