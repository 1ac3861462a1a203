import { SkepError } from '../../errors.ts';
import { hasOnly, isCount, isName, isRecord } from './line.ts';
import type { Encoding } from './names.ts';

/** A file of a listing. `path` is relative, with `/`, in UTF-8. */
export interface FileEntry {
  path: string;
  /** Plain size in bytes. */
  size: number;
  /** Name of the object with its content. */
  object: string;
  mtimeMs?: number;
  /** Permission bits, e.g. 0o640. */
  mode?: number;
  /** SHA-256 of the content; only where the object is named otherwise, in a sealed repository. */
  sha256?: string;
  /** Only where the object is not raw. */
  stored?: { encoding: Exclude<Encoding, 'raw'>; size: number; sha256: string };
  linkTo?: undefined;
}

/** A symbolic link of a listing. */
export interface LinkEntry {
  path: string;
  /** The link's target as it is. */
  linkTo: string;
  mtimeMs?: number;
  object?: undefined;
  size?: undefined;
}

export type ListingEntry = FileEntry | LinkEntry;

/** The form in which a listing says that a content is stored. */
export function encodingOf(entry: FileEntry): Encoding {
  return entry.stored?.encoding ?? 'raw';
}

/** The entry of a file whose content was put into the repository. */
export function fileEntry(
  path: string,
  stored: {
    name: string;
    sha256: string;
    size: number;
    encoding: Encoding;
    storedSize: number;
    storedSha256: string;
  },
  attributes: { mtimeMs?: number; mode?: number } = {},
): FileEntry {
  const entry: FileEntry = { path, size: stored.size, object: stored.name, ...attributes };
  if (stored.sha256 !== stored.name) entry.sha256 = stored.sha256;
  if (stored.encoding === 'raw') return entry;
  return { ...entry, stored: { encoding: stored.encoding, size: stored.storedSize, sha256: stored.storedSha256 } };
}

/** SHA-256 of the content of a file. */
export function contentHash(file: FileEntry): string {
  return file.sha256 ?? file.object;
}

/** Members are single letters, since a million lines are usual. */
const FILE_MEMBERS: ReadonlySet<string> = new Set(['p', 's', 'o', 't', 'm', 'h', 'e', 'z']);
const LINK_MEMBERS: ReadonlySet<string> = new Set(['p', 'l', 't']);
const ENCODINGS: ReadonlySet<unknown> = new Set(['zstd', 'age', 'zstd+age']);

/** One line without its newline. An unusable path or value is `internal`: the caller made it. */
export function encodeListingEntry(entry: ListingEntry): string {
  const line = toLine(entry);
  const text = JSON.stringify(line);
  // JSON writes a lone surrogate as an escape, which would come back as another file name on a disk.
  if (decodeListingEntry(line) === undefined || !text.isWellFormed() || !entry.path.isWellFormed()) {
    throw new SkepError('internal', `not an entry of a listing: ${text}`);
  }
  return text;
}

/** Undefined when the line is not one of an entry. By hand: a schema takes longer than all else that is done with a line. */
export function decodeListingEntry(line: unknown): ListingEntry | undefined {
  if (!isRecord(line)) return undefined;
  const { p: path, t } = line;
  if (typeof path !== 'string' || !isSafePath(path)) return undefined;
  if (t !== undefined && !Number.isFinite(t)) return undefined;
  if (!('l' in line)) return decodeFile(line, path, t as number | undefined);
  const { l: linkTo } = line;
  if (typeof linkTo !== 'string' || linkTo === '' || !hasOnly(line, LINK_MEMBERS)) return undefined;
  return t === undefined ? { path, linkTo } : { path, linkTo, mtimeMs: t as number };
}

function decodeFile(line: Record<string, unknown>, path: string, mtimeMs: number | undefined): FileEntry | undefined {
  const { s: size, o: object, m: mode, h: sha256, e: encoding, z: stored } = line;
  if (!isCount(size) || !isName(object) || !hasOnly(line, FILE_MEMBERS)) return undefined;
  if (mode !== undefined && !(isCount(mode) && mode <= 0o7777)) return undefined;
  if (sha256 !== undefined && !isName(sha256)) return undefined;
  const entry: FileEntry = { path, size, object };
  if (mtimeMs !== undefined) entry.mtimeMs = mtimeMs;
  if (mode !== undefined) entry.mode = mode;
  if (sha256 !== undefined) entry.sha256 = sha256;
  if (encoding === undefined && stored === undefined) return entry;
  if (!ENCODINGS.has(encoding) || !Array.isArray(stored) || stored.length !== 2) return undefined;
  const [storedSize, storedSha256] = stored as unknown[];
  if (!isCount(storedSize) || !isName(storedSha256)) return undefined;
  entry.stored = { encoding: encoding as Exclude<Encoding, 'raw'>, size: storedSize, sha256: storedSha256 };
  return entry;
}

/** Relative, nothing empty, no `.` or `..`, no NUL: it stays below the folder it is laid out in. */
export function isSafePath(value: string): boolean {
  if (value === '' || value.includes('\0')) return false;
  return value.split('/').every((part) => part !== '' && part !== '.' && part !== '..');
}

function toLine(entry: ListingEntry): Record<string, unknown> {
  if (entry.linkTo !== undefined) return { p: entry.path, l: entry.linkTo, t: entry.mtimeMs };
  const { path: p, size: s, object: o, mtimeMs: t, mode: m, sha256: h, stored } = entry;
  return { p, s, o, t, m, h, ...(stored === undefined ? {} : { e: stored.encoding, z: [stored.size, stored.sha256] }) };
}
