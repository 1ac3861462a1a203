import { SkepError } from '../../errors.ts';
import { throwIfCancelled } from '../content/cancel.ts';
import { incomingPrefix } from '../format/names.ts';
import { acquireLease } from '../lease/index.ts';
import { type Keyring, sameMembers } from '../sealing/keyring.ts';
import { choose, type Chosen, type Choice } from './choose.ts';
import { copyResealed } from './copy-resealed.ts';
import { copyStored } from './copy-stored.ts';
import { KnownForms } from '../known-forms.ts';
import type { CopyEnd, CopyJob, CopyOptions, CopyReport } from './job.ts';
import type { CopyDamage } from './stored-copier.ts';

/**
 * Copies backups into another repository of the same cluster: what is not there yet, checked on the way, each manifest
 * last. With the same keys (or none) at both ends no private key is needed: bytes are copied as they are stored; unless the
 * target has some of them in another form, as of a backup that was sealed there. What one copy has brought the next finds. A backup that is damaged is not copied; the others are, before `damage-found` is
 * thrown. Other errors: `repository-foreign`, `backup-unknown`, `key-missing`, `locked`, `no-space`, `repository-failed`.
 */
export async function copyBackups(source: CopyEnd, target: CopyEnd, options: CopyOptions): Promise<CopyReport> {
  checkEnds(source, target);
  const resealed = !haveSameKeys(source.vault.keyring, target.vault.keyring);
  const choice = await choose(source.vault, target.vault, options);
  const report: CopyReport = { copied: [], there: choice.there, planned: [], resealed };
  if (options.dryRun === true) report.planned = choice.chosen.map((c) => c.from);
  else await copyAll(source, target, choice, report, options);
  const [first] = choice.damaged;
  if (first !== undefined) throw failure(choice, report, first.error);
  return report;
}

async function copyAll(source: CopyEnd, target: CopyEnd, choice: Choice, report: CopyReport, options: CopyOptions) {
  const { chosen } = choice;
  if (chosen.length === 0) return;
  const reading = await acquireLease(source.vault.backend, 'read', options.owner, {
    backups: chosen.map((c) => c.from),
  });
  try {
    const backups = chosen.map((c) => c.id);
    const writing = await acquireLease(target.vault.backend, 'write', options.owner, { backups });
    try {
      const known = report.resealed ? new KnownForms() : await KnownForms.of(target.vault, options.signal);
      const job = { source, target, lease: writing, known, options };
      for (const [i, one] of chosen.entries()) {
        throwIfCancelled(options.signal);
        options.onBackup?.(one.from, i, chosen.length);
        await copyOne(job, one, report, choice);
      }
    } finally {
      await target.vault.backend.deletePrefix(incomingPrefix(options.owner.run)).catch(() => undefined);
      await writing.release();
    }
  } finally {
    await reading.release();
  }
}

async function copyOne(job: CopyJob, one: Chosen, report: CopyReport, choice: Choice): Promise<void> {
  try {
    // What the target holds in another form is told by a listing of its own.
    const totals = (report.resealed ? undefined : await copyStored(job, one)) ?? (await copyResealed(job, one));
    report.copied.push({ from: one.from, id: one.id, ...totals });
  } catch (error) {
    if (!(error instanceof SkepError) || !DAMAGE.has(error.code)) throw error;
    choice.damaged.push({ backup: one.from, error });
  }
}

const DAMAGE: ReadonlySet<string> = new Set(['damage-found', 'object-missing', 'object-damaged', 'manifest-damaged']);

function checkEnds(source: CopyEnd, target: CopyEnd): void {
  if (source.descriptor.id === target.descriptor.id) {
    throw new SkepError('usage', 'a repository cannot be copied into itself', {
      hint: 'Name another one with `--to`.',
    });
  }
  const [a, b] = [source.descriptor.cluster, target.descriptor.cluster];
  if (a.name === b.name && a.id === b.id) return;
  throw new SkepError('repository-foreign', `the target belongs to cluster ${b.name}, not to ${a.name}`, {
    context: { repository: target.vault.backend.location, owner: b },
  });
}

/** Whether stored bytes of one repository are those that the other would have. Error: `key-missing`. */
function haveSameKeys(a: Keyring, b: Keyring): boolean {
  if (a.sealed !== b.sealed) return false;
  if (!a.sealed) return true;
  const probe = '0'.repeat(64);
  return a.objectName(probe) === b.objectName(probe) && sameMembers(a.recipients() ?? [], b.recipients() ?? []);
}

function failure(choice: Choice, report: CopyReport, cause: SkepError): SkepError {
  const backups = choice.damaged.map((d) => d.backup);
  const findings = choice.damaged.flatMap(({ backup, error }) => {
    const found = (error.context['findings'] as CopyDamage[] | undefined) ?? [
      { kind: error.code, key: error.context['key'] ?? `backups/${backup}`, message: error.message },
    ];
    return found.map((finding) => ({ backup, ...finding }));
  });
  const text = backups.length === 1 ? `backup ${backups[0]} is` : `${backups.length} backups are`;
  return new SkepError('damage-found', `${text} damaged and ${backups.length === 1 ? 'was' : 'were'} not copied`, {
    hint: `Run \`skep verify ${backups[0]} --level data\` to see which files that hits.`,
    context: { backups, findings, copied: report.copied.map((c) => c.from) },
    cause,
  });
}
