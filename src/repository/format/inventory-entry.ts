import { z } from 'zod';
import type { FileEntry } from './listing-entry.ts';
import { NAME_PATTERN, objectKey } from './names.ts';

/** An object as it is stored: enough to verify, copy or prune it without a key. */
export interface InventoryEntry {
  object: string;
  encoding: 'raw' | 'zstd';
  storedSize: number;
  storedSha256: string;
}

const name = z.string().regex(NAME_PATTERN);
const size = z.number().int().nonnegative();
const rawLine = z.strictObject({ o: name, s: size });
const zstdLine = z.strictObject({ o: name, s: size, e: z.literal('zstd'), h: name });
const inventoryLine = z.union([rawLine, zstdLine]);

/** One line without its newline. */
export function encodeInventoryEntry(entry: InventoryEntry): string {
  const { object: o, storedSize: s, encoding: e, storedSha256: h } = entry;
  return JSON.stringify(e === 'raw' ? { o, s } : { o, s, e, h });
}

/** Undefined when the line is not one of an entry. */
export function decodeInventoryEntry(line: unknown): InventoryEntry | undefined {
  const parsed = inventoryLine.safeParse(line);
  if (!parsed.success) return undefined;
  const { data } = parsed;
  if (!('e' in data)) return { object: data.o, encoding: 'raw', storedSize: data.s, storedSha256: data.o };
  return { object: data.o, encoding: data.e, storedSize: data.s, storedSha256: data.h };
}

/** What the inventory must hold for a file of the listing. */
export function inventoryEntryOf(file: FileEntry): InventoryEntry {
  const { object, size: plainSize, stored } = file;
  if (stored === undefined) return { object, encoding: 'raw', storedSize: plainSize, storedSha256: object };
  return { object, encoding: stored.encoding, storedSize: stored.size, storedSha256: stored.sha256 };
}

/** Sorts inventories; unique within one. */
export function inventoryKey(entry: Pick<InventoryEntry, 'object' | 'encoding'>): string {
  return objectKey(entry.object, entry.encoding);
}
