import { hash } from 'node:crypto';
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { z } from 'zod';
import { SkepError } from '../../errors.ts';
import { NAME_PATTERN } from './names.ts';

export type TreeKind = 'listing' | 'inventory';

/** A line of a piece above the leaves. */
export interface ChildRef {
  /** Name of the piece below. */
  child: string;
  /** Sort key of the first entry below it. */
  first: string;
  /** Number of entries below it. */
  entries: number;
}

export interface Piece {
  kind: TreeKind;
  /** 0 holds entries; higher levels hold ChildRefs to the level just below. */
  level: number;
  lines: unknown[];
}

/** The longest line (a path of 4,096 bytes, escaped, and a link target) keeps a piece well below this. */
export const MAX_PLAIN_PIECE = 256 << 10;

const header = z.strictObject({ skep: z.enum(['listing', 'inventory']), level: z.number().int().min(0).max(16) });
const childLine = z.strictObject({
  c: z.string().regex(NAME_PATTERN),
  f: z.string().min(1),
  n: z.number().int().positive(),
});

/** Plain bytes: a header line and one JSON object a line. */
export function encodePiece(kind: TreeKind, level: number, lines: readonly string[]): Buffer {
  return Buffer.from(`{"skep":"${kind}","level":${level}}\n${lines.map((line) => `${line}\n`).join('')}`);
}

/** The name of a piece is made of this. */
export function pieceHash(plain: Uint8Array): string {
  return hash('sha256', plain);
}

/** The stored form, before it is sealed. */
export function compressPiece(plain: Uint8Array): Buffer {
  return zstdCompressSync(plain);
}

/** Plain bytes of a whole stored form; throws a plain Error. Node passes over what follows the frame, the standard tool does not. */
export function decompressPiece(compressed: Uint8Array): Buffer {
  // With `info` it answers how much it took, in a form its types do not know.
  const answer: unknown = zstdDecompressSync(compressed, { maxOutputLength: MAX_PLAIN_PIECE, info: true });
  const { buffer, engine } = answer as { buffer: Buffer; engine: { bytesWritten: number } };
  if (engine.bytesWritten !== compressed.length) throw new Error('bytes follow the zstd frame');
  return buffer;
}

/** Whether stored bytes are the piece with this plain content, whichever version of zstd has made them. */
export function holdsPiece(compressed: Uint8Array, plain: Uint8Array): boolean {
  try {
    return decompressPiece(compressed).equals(plain);
  } catch {
    return false;
  }
}

interface ExpectedPiece {
  name: string;
  kind: TreeKind;
  level?: number;
  /** Gives the name for the hash of the plain bytes; the hash itself when absent. */
  nameOf?: (sha256: string) => string;
}

/** Checks and opens a compressed piece. `object-damaged` when it is not the piece of that name and kind. */
export function openPiece(compressed: Uint8Array, expected: ExpectedPiece): Piece {
  const text = plainPiece(compressed, expected).toString('utf8');
  if (!text.endsWith('\n')) throw damaged(expected.name, 'its last line is cut');
  const lines = parseLines(text.slice(0, -1), expected.name);
  const head = header.safeParse(lines.shift());
  if (!head.success) throw damaged(expected.name, 'it has no header');
  const { skep: kind, level } = head.data;
  if (kind !== expected.kind || level !== (expected.level ?? level)) {
    throw damaged(expected.name, `it is a piece of ${kind} level ${level}`);
  }
  if (level > 0 && lines.length === 0) throw damaged(expected.name, 'it is empty');
  return { kind, level, lines };
}

/** The plain bytes, when they are those of the name. Error: `object-damaged`. */
export function plainPiece(compressed: Uint8Array, { name, nameOf }: Pick<ExpectedPiece, 'name' | 'nameOf'>): Buffer {
  const plain = decompress(compressed, name);
  const sha256 = pieceHash(plain);
  if ((nameOf?.(sha256) ?? sha256) !== name) throw damaged(name, 'its hash differs');
  return plain;
}

export function encodeChildRef(ref: ChildRef): string {
  return JSON.stringify({ c: ref.child, f: ref.first, n: ref.entries });
}

export function decodeChildRef(line: unknown): ChildRef | undefined {
  const parsed = childLine.safeParse(line);
  return parsed.success ? { child: parsed.data.c, first: parsed.data.f, entries: parsed.data.n } : undefined;
}

function decompress(stored: Uint8Array, name: string): Buffer {
  try {
    return decompressPiece(stored);
  } catch (cause) {
    throw damaged(name, 'it cannot be decompressed', cause);
  }
}

/** All at once, which takes half the time. */
function parseLines(text: string, name: string): unknown[] {
  let lines: unknown[];
  try {
    lines = JSON.parse(`[${text.replaceAll('\n', ',')}]`) as unknown[];
  } catch (cause) {
    throw damaged(name, 'a line is not JSON', cause);
  }
  // More than one value in a line, or a value in more than one line.
  if (lines.length !== text.split('\n').length) throw damaged(name, 'a line is not one JSON value');
  return lines;
}

function damaged(name: string, why: string, cause?: unknown): SkepError {
  return new SkepError('object-damaged', `piece ${name} is damaged: ${why}`, { context: { piece: name }, cause });
}
