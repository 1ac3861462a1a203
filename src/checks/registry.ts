import { addresses } from './addresses.ts';
import { attachments } from './attachments.ts';
import type { Check } from './check.ts';
import { clocks } from './clocks.ts';
import { commitlog } from './commitlog.ts';
import { elasticsearchHealth } from './elasticsearch-health.ts';
import { elasticsearchRepository } from './elasticsearch-repository.ts';
import { imports } from './imports.ts';
import { keyspace } from './keyspace.ts';
import { lastRepair } from './last-repair.ts';
import { leftovers } from './leftovers.ts';
import { logs } from './logs.ts';
import { nodesUp } from './nodes-up.ts';
import { permissions } from './permissions.ts';
import { pointInTime } from './point-in-time.ts';
import { replication } from './replication.ts';
import { repository } from './repository.ts';
import { schemaAgreement } from './schema-agreement.ts';
import { services } from './services.ts';
import { space } from './space.ts';
import { streams } from './streams.ts';
import { sudo } from './sudo.ts';
import { versions } from './versions.ts';

/** Every check, in the order in which they are told and in which a refused backup names its reason. */
export const CHECKS: readonly Check[] = [
  clocks,
  versions,
  services,
  sudo,
  nodesUp,
  addresses,
  schemaAgreement,
  keyspace,
  replication,
  lastRepair,
  streams,
  commitlog,
  pointInTime,
  elasticsearchHealth,
  elasticsearchRepository,
  repository,
  permissions,
  imports,
  space,
  attachments,
  logs,
  leftovers,
];
