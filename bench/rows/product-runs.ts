import { join } from 'node:path';
import type { Compression, RepositoryAccess } from '../../src/repository/index.ts';
import type { CassandraSource } from '../data/node.ts';
import { timedProduct, type Timed } from '../timed.ts';

/** What a backup of the product in a process of its own tells. */
export interface BackupRun extends Timed {
  result: {
    id: string;
    files: number;
    newBytes: number;
    rss_mb: number;
    written_mb: number;
    blocks_mb: number;
    nodetool_s: number;
  };
}

/** What is backed up. */
export interface Source {
  attachments?: string;
  cassandra?: CassandraSource;
}

/** A repository, and where the node's hints for it are kept: with the row's data, since they are of no use later. */
export interface BenchRepository {
  access: RepositoryAccess;
  hints: string;
}

/** A new repository in a folder, unsealed. */
export function initRaw(folder: string, name: string): Promise<BenchRepository> {
  return init({ access: { location: join(folder, name) }, hints: join(folder, 'hints') });
}

export async function init(repository: BenchRepository): Promise<BenchRepository> {
  await timedProduct('init', { access: repository.access });
  return repository;
}

/** One backup; `compression` is off when it is not given. */
export function backUp(to: BenchRepository, source: Source, compression?: Compression): Promise<BackupRun> {
  return timedProduct('backup', { access: to.access, compression, ...source }, { XDG_CACHE_HOME: to.hints });
}

/** Peak memory, bytes written, and blocks that changed on the disk by that, of the runs, the largest. */
export function footprint(
  runs: readonly BackupRun[],
): Pick<BackupRun['result'], 'rss_mb' | 'written_mb' | 'blocks_mb'> {
  const most = (key: 'rss_mb' | 'written_mb' | 'blocks_mb'): number => Math.max(...runs.map((r) => r.result[key]));
  return { rss_mb: most('rss_mb'), written_mb: most('written_mb'), blocks_mb: most('blocks_mb') };
}
