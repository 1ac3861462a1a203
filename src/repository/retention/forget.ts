import { SkepError, toSkepError } from '../../errors.ts';
import type { Backend } from '../backend/backend.ts';
import { throwIfCancelled } from '../../cancel.ts';
import { manifestCopyKey, manifestKey, publishedKey } from '../format/names.ts';
import { acquireLease, listLeases, type LeaseInfo, type LeaseOwner } from '../lease/index.ts';
import { judgeBackups } from '../damage/judge-backups.ts';
import type { Vault } from '../sealing/keyring.ts';
import { Room } from '../prune/ballast.ts';
import type { BackupSummary } from '../types.ts';
import { applyRules, hasRule, type RetentionRules } from './rules.ts';

export interface ForgetOptions {
  owner: LeaseOwner;
  /** These backups, damaged ones too; else `rules` decide. */
  ids?: readonly string[];
  rules?: RetentionRules;
  /** So many complete backups are left whatever is asked for. */
  minimum: number;
  dryRun?: boolean;
  /** Size of the ballast that is made again where this had to use it up. */
  ballastBytes?: number;
  signal?: AbortSignal;
}

export interface ForgetRow {
  id: string;
  /** ISO time of the instant that it holds; absent for a damaged one. */
  at?: string;
  state: BackupSummary['state'];
  keep: boolean;
  /** Why it is kept. */
  reasons: string[];
}

export interface ForgetReport {
  dryRun: boolean;
  /** Every backup, newest first. */
  backups: ForgetRow[];
  /** Ids that were, or in a dry run would be, forgotten. */
  forgotten: string[];
}

/** See `Repository.forget`. */
export async function forget(vault: Vault, options: ForgetOptions): Promise<ForgetReport> {
  const { backend } = vault;
  if (options.ids === undefined && !hasRule(options.rules ?? {})) {
    const hint = 'Give ids, or rules like `--keep-daily 7`, or write `retention` into skep.yaml.';
    throw new SkepError('usage', 'no rule says what is to be kept', { hint });
  }
  throwIfCancelled(options.signal);
  if (options.dryRun === true) return plan(vault, options);
  const room = new Room(backend, options.ballastBytes);
  try {
    return await forgetNow(vault, options, room);
  } finally {
    await room.end();
  }
}

async function forgetNow(vault: Vault, options: ForgetOptions, room: Room): Promise<ForgetReport> {
  const { backend } = vault;
  const lease = await room.for(() => acquireLease(backend, 'delete', options.owner));
  try {
    const report = await plan(vault, options, lease.id);
    for (const [i, id] of report.forgotten.entries()) {
      // Only between two backups: none is left half forgotten.
      checkGoesOn(options.signal, report.forgotten, i);
      await lease.assertHeld();
      // In this order: what is left when this ends half-way is a backup, or a manifest's lack is not taken for damage.
      await backend.delete(publishedKey(id));
      await backend.delete(manifestCopyKey(id));
      await backend.delete(manifestKey(id));
      await backend.deletePrefix(`backups/${id}/`);
    }
    return report;
  } finally {
    await lease.release();
  }
}

/** Says what was done, where a signal ends it before all was. */
function checkGoesOn(signal: AbortSignal | undefined, ids: readonly string[], done: number): void {
  try {
    throwIfCancelled(signal);
  } catch (cause) {
    const { code, message } = toSkepError(cause);
    throw new SkepError(code, `${message}: ${done} of ${ids.length} backups were forgotten`, {
      hint: 'Run the same `skep forget` again for the others.',
      context: { forgotten: ids.slice(0, done) },
      cause,
    });
  }
}

async function plan(vault: Vault, options: ForgetOptions, own?: string): Promise<ForgetReport> {
  const { backend } = vault;
  const rows = (await judgeBackups(vault)).map(rowOf);
  if (options.ids === undefined) decideByRules(rows, options.rules ?? {});
  else decideByIds(rows, options.ids);
  await keepUsed(rows, await listLeases(backend, own === undefined ? {} : { own }), options.ids !== undefined);
  await keepLocked(backend, rows, options.ids !== undefined);
  checkMinimum(rows, options.minimum);
  const forgotten = rows.filter((row) => !row.keep).map((row) => row.id);
  return { dryRun: options.dryRun === true, backups: rows, forgotten };
}

function rowOf(backup: BackupSummary): ForgetRow {
  const { id, state } = backup;
  if (backup.state === 'damaged') return { id, state, keep: true, reasons: [] };
  const { cutMicros, startedAt } = backup.manifest;
  const at = cutMicros === undefined ? startedAt : new Date(Number(BigInt(cutMicros) / 1000n)).toISOString();
  return { id, at, state, keep: true, reasons: [] };
}

function decideByRules(rows: ForgetRow[], rules: RetentionRules): void {
  const complete = rows.filter((row): row is ForgetRow & { at: string } => row.at !== undefined);
  const reasons = applyRules(
    complete.map(({ id, at }) => ({ id, atMs: Date.parse(at) })),
    rules,
  );
  for (const row of rows) {
    row.reasons = reasons.get(row.id) ?? ['damaged: goes only by its id'];
    row.keep = row.reasons.length > 0;
  }
}

function decideByIds(rows: ForgetRow[], ids: readonly string[]): void {
  const unknown = ids.find((id) => !rows.some((row) => row.id === id));
  if (unknown !== undefined) throw new SkepError('backup-unknown', `there is no backup ${unknown}`);
  for (const row of rows) {
    row.keep = !ids.includes(row.id);
    if (row.keep) row.reasons = ['not named'];
  }
}

/** What a reader holds stays; a backup that was asked for by its id is refused rather than silently kept. */
async function keepUsed(rows: ForgetRow[], leases: readonly LeaseInfo[], named: boolean): Promise<void> {
  for (const { kind, owner, backups, stale } of leases) {
    if (kind !== 'restore' && (kind !== 'read' || stale)) continue;
    for (const row of rows.filter((r) => !r.keep && backups.includes(r.id))) {
      const who = `${kind === 'restore' ? 'restored' : 'read'} by ${owner.host} (pid ${owner.pid})`;
      if (named) {
        const hint = 'Wait until that has ended; `skep unlock` shows who holds what.';
        throw new SkepError('locked', `backup ${row.id} is being ${who}`, { hint, context: { backup: row.id, owner } });
      }
      spare(row, who);
    }
  }
}

async function keepLocked(backend: Backend, rows: ForgetRow[], named: boolean): Promise<void> {
  const going = rows.filter((row) => !row.keep);
  const ends = await backend.retention?.lockedUntil(going.map(({ id }) => manifestKey(id)));
  for (const [i, row] of going.entries()) {
    const end = ends?.[i];
    if (end === undefined || end.getTime() <= Date.now()) continue;
    const until = end.toISOString();
    if (named) {
      throw new SkepError('object-locked', `backup ${row.id} is locked until ${until}`, {
        context: { backup: row.id, until },
      });
    }
    spare(row, `locked until ${until}`);
  }
}

function spare(row: ForgetRow, reason: string): void {
  row.keep = true;
  row.reasons = [reason];
}

/** Only complete backups count. Nothing that is asked for is bent: below the minimum nothing is forgotten at all. */
function checkMinimum(rows: readonly ForgetRow[], minimum: number): void {
  const complete = rows.filter((row) => row.state === 'complete');
  const left = complete.filter((row) => row.keep).length;
  if (left >= minimum || left === complete.length) return;
  const message = `only ${left} complete backups would be left of ${complete.length}, fewer than ${minimum}`;
  throw new SkepError('below-minimum', message, { context: { left, complete: complete.length, minimum } });
}
