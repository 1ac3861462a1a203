import type { Topology } from '../discovery/topology.ts';
import type { Emit } from '../events.ts';
import type { Params } from '../protocol/methods.ts';
import type { Compression, Repository } from '../repository/index.ts';
import type { Store } from '../remote/become.ts';
import type { Cleanup } from './cleanup.ts';
import type { Connections } from './connections.ts';
import { accessFor } from './data-path.ts';

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
  compression: Compression;
}

/** Where an agent stores what it captures of a store on its node. */
export function targetOf(w: BackupWork, node: string, store: Store): Params<'files.start'>['target'] {
  const { parallel, limit_upload: limitUpload } = w.c.cluster.agent;
  return {
    repository: accessFor(w.c, node, store),
    run: w.run,
    writer: `${node}-${store}`,
    compression: w.compression,
    ...(parallel === undefined ? {} : { parallel }),
    ...(limitUpload === undefined ? {} : { limitUpload }),
  };
}
