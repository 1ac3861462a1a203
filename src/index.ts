/** skep's library: the only door for the command line, the page and the lab. */
export { cassandraNodes, defaultConfigFiles, loadCluster, parseCluster } from './config/load.ts';
export { type ClusterConfig, type Config, configSchema } from './config/schema.ts';
export { deserializeError, type ErrorCode, ERRORS, SkepError, type SerializedError, toSkepError } from './errors.ts';
export type { Emit, ProgressEvent, SkepEvent, Verdict } from './events.ts';
export {
  type BackupSummary,
  type Finding,
  initRepository,
  type Manifest,
  openRepository,
  type Repository,
  type VerifyLevel,
  type VerifyReport,
} from './repository/index.ts';
export { backup, type BackupOptions, type BackupResult } from './run/backup.ts';
export { check, type CheckOptions, type CheckReport, type Fix } from './run/check.ts';
export { init } from './run/init.ts';
export { list, show, type ShownBackup, verify } from './run/inspect.ts';
export { restore, type RestoreOptions, type RestoreResult } from './run/restore.ts';
export { VERSION } from './version.ts';
