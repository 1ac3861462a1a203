import { createHash } from 'node:crypto';
import { mkdir, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pseudoRandomBytes, type Random } from './random.ts';

/** One `write()` of an attachment; larger files take several, so that a copy may catch half of one. */
const CHUNK = 32 * 1024;

/** The content of an attachment, made again at will from its seed. */
export interface Content {
  seed: string;
  size: number;
  sha256: string;
}

/** A new content: mostly 1–200 KB, now and then 2 MB. */
export function newContent(seed: string, random: Random): Content {
  const size = random.chance(0.02) ? 2 * 1024 * 1024 : Math.floor(1024 * 200 ** random.next());
  const sha256 = createHash('sha256').update(pseudoRandomBytes(seed, size)).digest('hex');
  return { seed, size, sha256 };
}

export function contentBytes({ seed, size }: Content): Buffer {
  return pseudoRandomBytes(seed, size);
}

export function attachmentPath(attachmentsDir: string, sha256: string): string {
  return join(attachmentsDir, 'attachment', sha256);
}

/** Writes an attachment as TheHive does: in place, under its final name, piece by piece, without a sync. */
export async function writeAttachment(attachmentsDir: string, content: Content): Promise<void> {
  const path = attachmentPath(attachmentsDir, content.sha256);
  await mkdir(join(attachmentsDir, 'attachment'), { recursive: true });
  const bytes = contentBytes(content);
  const file = await open(path, 'w', 0o640);
  try {
    for (let at = 0; at < bytes.length; at += CHUNK) await file.write(bytes.subarray(at, at + CHUNK));
  } finally {
    await file.close();
  }
}

export async function deleteAttachment(attachmentsDir: string, sha256: string): Promise<void> {
  await rm(attachmentPath(attachmentsDir, sha256));
}
