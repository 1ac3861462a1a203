import { randomBytes } from 'node:crypto';

/** A SHA-256 in hex: the name of an object or of a listing piece. */
export const NAME_PATTERN = /^[0-9a-f]{64}$/;

/** `20261122T223755Z-1a2b3c4d5e6f`: sorts by time; names a backup and the run that made it. */
export const BACKUP_ID_PATTERN = /^\d{8}T\d{6}Z-[0-9a-f]{12}$/;

/** Names of writers and runs: one safe path component. */
export const COMPONENT_PATTERN = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;

export const DESCRIPTOR_KEY = 'skep.json';

/** A fresh id for a backup and its run. */
export function newBackupId(now: Date = new Date()): string {
  const stamp = now.toISOString().replace(/[-:]/g, '').replace(/\.\d+/, '');
  return `${stamp}-${randomBytes(6).toString('hex')}`;
}

export function objectKey(name: string, encoding: 'raw' | 'zstd'): string {
  return `objects/${name.slice(0, 2)}/${name}${encoding === 'zstd' ? '.zst' : ''}`;
}

/** Pieces of listings and inventories are always zstd. */
export function pieceKey(name: string): string {
  return `listings/${name.slice(0, 2)}/${name}.zst`;
}

export function manifestKey(id: string): string {
  return `backups/${id}/manifest.json`;
}

/** A second copy, written after the first: tells a lost manifest from one that never was, and can replace it. */
export function manifestCopyKey(id: string): string {
  return `backups/${id}/manifest.copy.json`;
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

export function incomingPrefix(run: string, writer?: string): string {
  return writer === undefined ? `incoming/${run}/` : `incoming/${run}/${writer}/`;
}
