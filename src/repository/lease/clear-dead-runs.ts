import type { Backend } from '../backend/backend.ts';
import { BACKUP_ID_PATTERN, incomingPrefix } from '../format/names.ts';
import { clearOrphans, findOrphans } from '../leave/clear-orphans.ts';
import { clearRecords } from './clear-records.ts';
import { listLeases, type LeaseInfo } from './lease-file.ts';
import { takeAway } from './take-away.ts';

export interface ClearedRuns {
  /** Leases of owners that have fallen silent, taken away. */
  leases: LeaseInfo[];
  /** Runs whose staged contents were removed. */
  runs: string[];
  /** Interrupted writes of single keys, uploads, publishes and forgets, and old records of leases, that were removed. */
  leftovers: number;
}

/** Removes what killed runs have left. A restore's lease stays: it ends by going on. */
export async function clearDeadRuns(
  backend: Backend,
  options: { by: string; own?: string; staleMs?: number },
): Promise<ClearedRuns> {
  // In this order: a run takes its lease before it stages or publishes anything.
  const staged = new Set<string>();
  for await (const { key } of backend.list('incoming/')) staged.add(key.split('/')[1] as string);
  const orphans = await findOrphans(backend);
  const found = (await listLeases(backend, options)).filter(({ id }) => id !== options.own);
  const dead = found.filter((l) => l.readable && l.kind !== 'restore' && (l.stale || l.revoked));
  for (const lease of dead) await takeAway(backend, lease, options.by);
  const alive = found.filter((l) => !dead.includes(l));
  const runs = [...staged].filter((run) => BACKUP_ID_PATTERN.test(run) && !alive.some((l) => l.owner.run === run));
  const unpublished = orphans.filter((id) => !alive.some((l) => l.backups.includes(id)));
  // An owner that cannot be read may be any run.
  const isSure = found.every((l) => l.readable);
  if (isSure) for (const run of runs) await backend.deletePrefix(incomingPrefix(run));
  let leftovers = (await backend.clearLeftovers?.()) ?? 0;
  if (isSure) leftovers += await clearOrphans(backend, unpublished);
  if (options.own !== undefined) leftovers += await clearRecords(backend, options.own);
  return { leases: dead, runs: isSure ? runs : [], leftovers };
}
