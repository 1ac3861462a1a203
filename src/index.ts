/** skep's library: the only door for the command line, the page and the lab. */
export { cassandraNodes, defaultConfigFiles, loadCluster, parseCluster } from './config/load.ts';
export { parseDuration } from './config/duration.ts';
export { parseSize } from './config/size.ts';
export { type ClusterConfig, type Config, configSchema } from './config/schema.ts';
export { connectGraph, type Graph, type GraphOptions } from './drivers/janusgraph/client.ts';
export { deserializeError, type ErrorCode, ERRORS, SkepError, type SerializedError, toSkepError } from './errors.ts';
export type { Emit, ProgressEvent, SkepEvent, Verdict } from './events.ts';
export {
  type BackupSummary,
  type Compression,
  type Finding,
  type ForgetReport,
  type ForgetRow,
  initRepository,
  type Manifest,
  openRepository,
  type PruneReport,
  type Repository,
  type RetentionRules,
  type ShownLease,
  parseSubset,
  type Subset,
  type VerifyLevel,
  type VerifyReport,
} from './repository/index.ts';
export { backup, type BackupOptions, type BackupResult } from './run/backup.ts';
export { check, type CheckOptions, type CheckReport, type Fix } from './run/check.ts';
export { copy, type CopyResult } from './run/copy.ts';
export { extract } from './run/extract.ts';
export { init } from './run/init.ts';
export { keys, type KeysReport, rotateKeys } from './run/keys.ts';
export type { ReadKeys } from './run/access-to.ts';
export { list, show, type ShownBackup, type ShownDetails, verify } from './run/inspect.ts';
export { forget, leases, prune, unlock } from './run/retention.ts';
export { sudoers } from './run/sudoers.ts';
export { restore, type RestoreOptions, type RestoreResult } from './run/restore.ts';
export { VERSION } from './version.ts';
