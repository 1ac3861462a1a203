import { hash } from 'node:crypto';
import { z } from 'zod';

const noteSchema = z.object({ at: z.string(), keys: z.number().int().positive(), sha256: z.string() });

/** Content of `published/<id>`; in a sealed repository with the newest generation of keys: while the backup is there, so is that. */
export function encodePublished(at: string, keys: number | undefined): Buffer {
  const note = keys === undefined ? { at } : { at, keys, sha256: sumOf(at, keys) };
  return Buffer.from(`${JSON.stringify(note)}\n`);
}

/** The generation that it tells; undefined where it tells none, or is damaged. */
export function publishedKeys(bytes: Uint8Array): number | undefined {
  try {
    const { at, keys, sha256 } = noteSchema.parse(JSON.parse(Buffer.from(bytes).toString('utf8')));
    return sha256 === sumOf(at, keys) ? keys : undefined;
  } catch {
    return undefined;
  }
}

function sumOf(at: string, keys: number): string {
  return hash('sha256', JSON.stringify([at, keys]));
}
