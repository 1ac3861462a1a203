import { join } from 'node:path';
import type { RepositoryAccess } from '../../src/repository/index.ts';
import type { CassandraSource } from '../data/node.ts';
import { timedProduct, type Timed } from '../timed.ts';

/** What a backup of the product in a process of its own tells. */
export interface BackupRun extends Timed {
  result: { id: string; files: number; newBytes: number; rss_mb: number; written_mb: number };
}

/** What is backed up. */
export interface Source {
  attachments?: string;
  cassandra?: CassandraSource;
}

/** A new repository in a folder, unsealed, compression off. */
export async function initRaw(folder: string, name: string): Promise<RepositoryAccess> {
  const access = { location: join(folder, name) };
  await timedProduct('init.ts', { access });
  return access;
}

export function backUp(access: RepositoryAccess, source: Source): Promise<BackupRun> {
  return timedProduct('backup.ts', { access, ...source });
}

/** Peak memory and bytes written of the runs, the largest. */
export function footprint(runs: readonly BackupRun[]): { rss_mb: number; written_mb: number } {
  return {
    rss_mb: Math.max(...runs.map((r) => r.result.rss_mb)),
    written_mb: Math.max(...runs.map((r) => r.result.written_mb)),
  };
}
