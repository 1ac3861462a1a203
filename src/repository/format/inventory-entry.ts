import type { FileEntry } from './listing-entry.ts';
import { hasOnly, isCount, isName, isRecord } from './line.ts';
import { type Encoding, objectKey, pieceKey } from './names.ts';

/** Something that is stored and that a backup needs: enough to verify, copy or prune it without a key. */
export interface InventoryEntry {
  /** A piece is one of the listing; only inventories of sealed repositories name pieces. */
  kind: 'object' | 'piece';
  name: string;
  encoding: Encoding;
  storedSize: number;
  storedSha256: string;
}

const RAW: ReadonlySet<string> = new Set(['o', 's']);
const ENCODED: ReadonlySet<string> = new Set(['o', 's', 'e', 'h']);
const PIECE: ReadonlySet<string> = new Set(['p', 's', 'h']);

/** One line without its newline. */
export function encodeInventoryEntry(entry: InventoryEntry): string {
  const { kind, name: n, storedSize: s, encoding: e, storedSha256: h } = entry;
  if (kind === 'piece') return JSON.stringify({ p: n, s, h });
  return JSON.stringify(e === 'raw' ? { o: n, s } : { o: n, s, e, h });
}

/** Undefined when the line is not one of an entry. By hand: a schema takes longer than all else that is done with a line. */
export function decodeInventoryEntry(line: unknown): InventoryEntry | undefined {
  if (!isRecord(line)) return undefined;
  const { o: object, p: piece, s: storedSize, e, h: storedSha256 } = line;
  if (!isCount(storedSize)) return undefined;
  if (isName(object) && hasOnly(line, RAW)) {
    return { kind: 'object', name: object, encoding: 'raw', storedSize, storedSha256: object };
  }
  if (!isName(storedSha256)) return undefined;
  if (isName(piece) && hasOnly(line, PIECE)) {
    return { kind: 'piece', name: piece, encoding: 'zstd+age', storedSize, storedSha256 };
  }
  const encoding = e === 'zstd' || e === 'age' || e === 'zstd+age' ? e : undefined;
  if (encoding === undefined || !isName(object) || !hasOnly(line, ENCODED)) return undefined;
  return { kind: 'object', name: object, encoding, storedSize, storedSha256 };
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
