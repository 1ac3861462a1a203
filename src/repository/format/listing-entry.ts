import { z } from 'zod';
import { SkepError } from '../../errors.ts';
import { type Encoding, NAME_PATTERN } from './names.ts';

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

const name = z.string().regex(NAME_PATTERN);
const count = z.number().int().nonnegative();
const path = z.string().refine(isSafePath, 'not a relative path');

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
const fileLine = z.strictObject({
  p: path,
  s: count,
  o: name,
  t: z.number().optional(),
  m: z.number().int().min(0).max(0o7777).optional(),
  h: name.optional(),
  e: z.enum(['zstd', 'age', 'zstd+age']).optional(),
  z: z.tuple([count, name]).optional(),
});
const linkLine = z.strictObject({ p: path, l: z.string().min(1), t: z.number().optional() });

/** One line without its newline. An unusable path or value is `internal`: the caller made it. */
export function encodeListingEntry(entry: ListingEntry): string {
  const line = toLine(entry);
  const text = JSON.stringify(line);
  // JSON writes a lone surrogate as an escape, which would come back as another file name on a disk.
  if (!decodable(line) || !text.isWellFormed() || !entry.path.isWellFormed()) {
    throw new SkepError('internal', `not an entry of a listing: ${text}`);
  }
  return text;
}

/** Undefined when the line is not one of an entry. */
export function decodeListingEntry(line: unknown): ListingEntry | undefined {
  const isLink = typeof line === 'object' && line !== null && 'l' in line;
  if (isLink) {
    const parsed = linkLine.safeParse(line);
    if (!parsed.success) return undefined;
    return { path: parsed.data.p, linkTo: parsed.data.l, ...optional('mtimeMs', parsed.data.t) };
  }
  const parsed = fileLine.safeParse(line);
  if (!parsed.success) return undefined;
  const { p, s, o, t, m, h, e: encoding, z: stored } = parsed.data;
  if ((encoding === undefined) !== (stored === undefined)) return undefined;
  const entry: FileEntry = { path: p, size: s, object: o, ...optional('mtimeMs', t), ...optional('mode', m) };
  if (h !== undefined) entry.sha256 = h;
  if (encoding !== undefined && stored !== undefined) entry.stored = { encoding, size: stored[0], sha256: stored[1] };
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

function decodable(line: Record<string, unknown>): boolean {
  return ('l' in line ? linkLine : fileLine).safeParse(line).success;
}

function optional<K extends string, V>(key: K, value: V | undefined): { [P in K]?: V } {
  return value === undefined ? {} : ({ [key]: value } as { [P in K]?: V });
}
