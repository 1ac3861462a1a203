import { z } from 'zod';
import type { FileEntry } from './listing-entry.ts';
import { type Encoding, NAME_PATTERN, objectKey, pieceKey } from './names.ts';

/** Something that is stored and that a backup needs: enough to verify, copy or prune it without a key. */
export interface InventoryEntry {
  /** A piece is one of the listing; only inventories of sealed repositories name pieces. */
  kind: 'object' | 'piece';
  name: string;
  encoding: Encoding;
  storedSize: number;
  storedSha256: string;
}

const name = z.string().regex(NAME_PATTERN);
const size = z.number().int().nonnegative();
const rawLine = z.strictObject({ o: name, s: size });
const encodedLine = z.strictObject({ o: name, s: size, e: z.enum(['zstd', 'age', 'zstd+age']), h: name });
const pieceLine = z.strictObject({ p: name, s: size, h: name });
const inventoryLine = z.union([rawLine, encodedLine, pieceLine]);

/** One line without its newline. */
export function encodeInventoryEntry(entry: InventoryEntry): string {
  const { kind, name: n, storedSize: s, encoding: e, storedSha256: h } = entry;
  if (kind === 'piece') return JSON.stringify({ p: n, s, h });
  return JSON.stringify(e === 'raw' ? { o: n, s } : { o: n, s, e, h });
}

/** Undefined when the line is not one of an entry. */
export function decodeInventoryEntry(line: unknown): InventoryEntry | undefined {
  const parsed = inventoryLine.safeParse(line);
  if (!parsed.success) return undefined;
  const { data } = parsed;
  const storedSize = data.s;
  if ('p' in data) return { kind: 'piece', name: data.p, encoding: 'zstd+age', storedSize, storedSha256: data.h };
  if (!('e' in data)) return { kind: 'object', name: data.o, encoding: 'raw', storedSize, storedSha256: data.o };
  return { kind: 'object', name: data.o, encoding: data.e, storedSize, storedSha256: data.h };
}

/** What the inventory must hold for a file of the listing. */
export function inventoryEntryOf(file: FileEntry): InventoryEntry {
  const { object, size: plainSize, stored } = file;
  const kind = 'object';
  if (stored === undefined) return { kind, name: object, encoding: 'raw', storedSize: plainSize, storedSha256: object };
  return { kind, name: object, encoding: stored.encoding, storedSize: stored.size, storedSha256: stored.sha256 };
}

/** Where it is stored; sorts inventories, unique within one. */
export function inventoryKey({ kind, name: n, encoding }: Pick<InventoryEntry, 'kind' | 'name' | 'encoding'>): string {
  return kind === 'piece' ? pieceKey(n, 'zstd+age') : objectKey(n, encoding);
}
