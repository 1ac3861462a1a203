/** Which file of a repository is of which kind, and which backups need it. */
import { zstdDecompressSync } from 'node:zlib';
import type { MemoryBackend } from '../../../../src/repository/backend/memory-backend.ts';
import { openOnBackend } from '../../../../src/repository/repository.ts';
import { decodeDescriptor } from '../../../../src/repository/format/descriptor.ts';
import { type GivenKeys, openKeyring } from '../../../../src/repository/sealing/open-keyring.ts';
import { neededKeys } from '../../../../src/repository/needed-keys.ts';
import { openSealedBytes } from '../../../../src/repository/sealing/open.ts';

export const KINDS = [
  'object',
  'compressed object',
  'leaf of a listing',
  'root of a listing',
  'leaf of an inventory',
  'root of an inventory',
  'manifest',
  'copy of a manifest',
  'RESTORE.md',
  'restore.sh',
] as const;

export type Kind = (typeof KINDS)[number];

export interface Sorted {
  /** Sorted by key; those of objects of one size only, so that two can be swapped unnoticed by their sizes. */
  keys(kind: Kind): string[];
  /** Newest first. */
  backups(key: string): string[];
}

export async function sort(backend: MemoryBackend, keys: GivenKeys): Promise<Sorted> {
  const repo = await openOnBackend(backend, keys);
  const keyring = await openKeyring(backend, decodeDescriptor(await backend.get('skep.json')), keys);
  const needers = new Map<string, Set<string>>();
  for (const { id } of await repo.list()) {
    for await (const { key } of neededKeys({ backend, keyring }, await repo.readManifest(id))) {
      needers.set(key, (needers.get(key) ?? new Set()).add(id));
    }
  }
  const byKind = new Map<Kind, string[]>();
  for (const key of [...backend.contents.keys()].sort()) {
    const kind = await kindOf(backend, key, keys.identities ?? []);
    if (kind !== undefined) byKind.set(kind, [...(byKind.get(kind) ?? []), key]);
  }
  return {
    keys: (kind) => {
      const found = byKind.get(kind) ?? [];
      const size = backend.contents.get(found[0] ?? '')?.length;
      return kind.endsWith('object') ? found.filter((key) => backend.contents.get(key)?.length === size) : found;
    },
    backups: (key) => {
      const id = /^backups\/([^/]+)\//.exec(key)?.[1];
      return id === undefined ? [...(needers.get(key) ?? [])].sort().reverse() : [id];
    },
  };
}

async function kindOf(backend: MemoryBackend, key: string, identities: readonly string[]): Promise<Kind | undefined> {
  const [folder] = key.split('/');
  if (folder === 'objects') return key.includes('.zst') ? 'compressed object' : 'object';
  if (folder === 'backups') return NAMES[key.slice(key.lastIndexOf('/') + 1)];
  if (folder !== 'listings') return undefined;
  const bytes = await backend.get(key);
  const plain = zstdDecompressSync(key.endsWith('.age') ? await openSealedBytes(bytes, identities) : bytes);
  const { skep, level } = JSON.parse(plain.toString().split('\n')[0] as string) as { skep: string; level: number };
  const place = level === 0 ? 'leaf' : 'root';
  return skep === 'listing' ? `${place} of a listing` : `${place} of an inventory`;
}

const NAMES: Readonly<Record<string, Kind>> = {
  'manifest.json': 'manifest',
  'manifest.copy.json': 'copy of a manifest',
  'RESTORE.md': 'RESTORE.md',
  'restore.sh': 'restore.sh',
};
