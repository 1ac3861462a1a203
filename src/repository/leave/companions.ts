import { hash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { getAsset, isSea } from 'node:sea';
import type { Companion } from '../format/manifest.ts';
import { type PlainManifest, restoreInstructions } from './restore-md.ts';

/** The files that lie beside a manifest. */
export const COMPANIONS: readonly Companion['file'][] = ['RESTORE.md', 'restore.sh'];

/** What lies beside a manifest, so that a backup can be restored by who has nothing but the repository. */
export function companionsOf(manifest: PlainManifest, sealed: boolean): { companion: Companion; bytes: Buffer }[] {
  const script = isSea() ? Buffer.from(getAsset('restore.sh')) : readFileSync(new URL('restore.sh', import.meta.url));
  return [describe('RESTORE.md', Buffer.from(restoreInstructions(manifest, sealed))), describe('restore.sh', script)];
}

function describe(file: Companion['file'], bytes: Buffer): { companion: Companion; bytes: Buffer } {
  return { companion: { file, bytes: bytes.length, sha256: hash('sha256', bytes) }, bytes };
}
