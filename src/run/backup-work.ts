import type { Topology } from '../discovery/topology.ts';
import type { Emit } from '../events.ts';
import type { Repository } from '../repository/index.ts';
import type { Cleanup } from './cleanup.ts';
import type { Connections } from './connections.ts';

/** What the parts of one backup share. */
export interface BackupWork {
  c: Connections;
  run: string;
  repository: Repository;
  /** As it was when the backup began. */
  topology: Topology;
  cleanup: Cleanup;
  emit: Emit;
  signal: AbortSignal;
}
