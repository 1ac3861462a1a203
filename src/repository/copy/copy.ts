import { SkepError } from '../../errors.ts';
import { throwIfCancelled } from '../../cancel.ts';
import { keepDescriptorCopy } from '../descriptor-copy.ts';
import { incomingPrefix } from '../format/names.ts';
import { acquireLease, clearDeadRuns, type Lease } from '../lease/index.ts';
import { candidates, choose, type Chosen } from './choose.ts';
import { copyResealed } from './copy-resealed.ts';
import { copyStored } from './copy-stored.ts';
import { KnownForms } from '../known-forms.ts';
import { followKeys, type KeyMatch, matchKeys } from './match-keys.ts';
import type { CopyEnd, CopyJob, CopyOptions, CopyReport } from './job.ts';
import type { CopyDamage } from './stored-copier.ts';

/**
 * Copies backups into another repository of the same cluster: what is not there yet, checked on the way, each manifest
 * last. With the same keys (or none) at both ends no private key is needed: bytes are copied as they are stored; unless the
 * target has some of them in another form, as of a backup that was sealed there. What one copy has brought the next finds. A
 * target that has the keys of the source from before a rotation is rotated too. A backup that is damaged is not copied; the
 * others are, before `damage-found` is thrown (`manifest-unsupported` where all that were left out are of another format); of
 * the `last` ones an older one takes its place. A source that can only be read is read without a lease. Other errors:
 * `repository-foreign`, `backup-unknown`, `key-missing`, `key-wrong`, `locked`, `no-space`, `repository-failed`.
 */
export async function copyBackups(source: CopyEnd, target: CopyEnd, options: CopyOptions): Promise<CopyReport> {
  checkEnds(source, target);
  const match = await matchKeys(source, target);
  const resealed = match.kind === 'other';
  const report: CopyReport = { copied: [], there: [], planned: [], resealed, rotated: false };
  const copy: Copy = { source, target, match, options, report, leftOut: new Map(), unheld: false };
  while (await copyRound(copy)) throwIfCancelled(options.signal);
  if (options.dryRun !== true) await clearDeadCopies(copy);
  if (copy.leftOut.size > 0) throw failure(copy);
  return report;
}

/**
 * Last: the ids that a killed copy was about to publish are taken away with its lease, and what is copied is to have those of
 * the source. By now they are published.
 */
async function clearDeadCopies({ target, options }: Copy): Promise<void> {
  const { run, host } = options.owner;
  const cleared = await clearDeadRuns(target.vault.backend, { by: `copy ${run} on ${host}` });
  options.onCleared?.(cleared);
}

interface Copy {
  source: CopyEnd;
  target: CopyEnd;
  match: KeyMatch;
  options: CopyOptions;
  report: CopyReport;
  /** By backup. */
  leftOut: Map<string, SkepError>;
  /** The source is read without a lease, which was told. */
  unheld: boolean;
}

/** Copies what is chosen now. True when others are to be chosen in the place of some that turned out to be damaged. */
async function copyRound(copy: Copy): Promise<boolean> {
  const { report, options, leftOut } = copy;
  const { chosen, reading } = await chooseHeld(copy);
  try {
    report.rotated ||= chosen.length > 0 && copy.match.kind === 'older';
    if (chosen.length > 0 && report.resealed) checkOpens(copy.source);
    report.planned = options.dryRun === true ? chosen.map((c) => c.from) : [];
    if (options.dryRun === true || chosen.length === 0) return false;
    const before = leftOut.size;
    await copyChosen(copy, chosen);
    return options.last !== undefined && leftOut.size > before;
  } finally {
    await reading?.release();
  }
}

/**
 * What is to be copied, and the lease under which its manifests were read: whatever a prune removes from then on, it is not
 * what they need. Undefined where nothing is to be read, and where none can be had.
 */
async function chooseHeld(copy: Copy): Promise<{ chosen: Chosen[]; reading: Lease | undefined }> {
  const { source, target, options, report } = copy;
  const ids = (await candidates(source.vault.backend, options.ids)).filter((id) => !copy.leftOut.has(id));
  const all = options.dryRun === true || ids.length === 0 ? undefined : await hold(copy, ids);
  try {
    const { chosen, there, unreadable } = await choose(source.vault, target.vault, ids, options);
    for (const { backup, error } of unreadable) leaveOut(copy, backup, error);
    const copied = new Set(report.copied.map((c) => c.from));
    report.there = there.filter((id) => !copied.has(id));
    if (options.dryRun === true || chosen.length === 0) return { chosen, reading: undefined };
    // A forget beside a long copy is to be kept only from what is copied.
    return {
      chosen,
      reading: await hold(
        copy,
        chosen.map((c) => c.from),
      ),
    };
  } finally {
    // One that stays behind is taken for dead in time.
    await all?.release().catch(() => undefined);
  }
}

/** A source that can only be read is no reason not to read it: all that comes from there is checked. */
async function hold(copy: Copy, backups: readonly string[]): Promise<Lease | undefined> {
  const { source, options } = copy;
  try {
    return await acquireLease(source.vault.backend, 'read', options.owner, { backups });
  } catch (error) {
    if (!(error instanceof SkepError)) throw error;
    if (!copy.unheld) options.onUnheld?.(error);
    copy.unheld = true;
    return undefined;
  }
}

async function copyChosen(copy: Copy, chosen: readonly Chosen[]): Promise<void> {
  const { source, match, report, options } = copy;
  const { backend } = copy.target.vault;
  const writing = await acquireLease(backend, 'write', options.owner, { backups: chosen.map((c) => c.id) });
  try {
    await keepDescriptorCopy(backend);
    if (match.kind === 'older') {
      copy.target = await followKeys(copy.target, match.lacks);
      copy.match = { kind: 'same' };
    }
    const { target } = copy;
    const known = report.resealed ? new KnownForms() : await KnownForms.of(target.vault, options.signal);
    const job = { source, target, lease: writing, known, options };
    for (const [i, one] of chosen.entries()) {
      throwIfCancelled(options.signal);
      options.onBackup?.(one.from, i, chosen.length);
      await copyOne(copy, job, one);
    }
  } finally {
    await backend.deletePrefix(incomingPrefix(options.owner.run)).catch(() => undefined);
    await writing.release();
  }
}

async function copyOne(copy: Copy, job: CopyJob, one: Chosen): Promise<void> {
  const { report } = copy;
  try {
    // What the target holds in another form is told by a listing of its own.
    const totals = (report.resealed ? undefined : await copyStored(job, one)) ?? (await copyResealed(job, one));
    report.copied.push({ from: one.from, id: one.id, ...totals });
  } catch (error) {
    if (!(error instanceof SkepError) || !DAMAGE.has(error.code)) throw error;
    leaveOut(copy, one.from, error);
  }
}

function leaveOut({ leftOut, options }: Copy, backup: string, error: SkepError): void {
  leftOut.set(backup, error);
  options.onLeftOut?.(backup, error);
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

function checkOpens({ vault }: CopyEnd): void {
  if (vault.keyring.opens) return;
  const { location } = vault.backend;
  throw new SkepError(
    'key-missing',
    `${location} is sealed to other recipients than the copy is to be, or only one is sealed`,
    {
      hint: 'Give an identity that opens it: `skep copy --identity FILE`; or give the copy the same `sealing` in skep.yaml.',
      context: { location },
    },
  );
}

function failure({ leftOut, report }: Copy): SkepError {
  const [first = '', ...more] = leftOut.keys();
  const findings = [...leftOut].flatMap(([backup, error]) => {
    const found = (error.context['findings'] as CopyDamage[] | undefined) ?? [
      { kind: error.code, key: error.context['key'] ?? `backups/${backup}`, message: error.message },
    ];
    return found.map((finding) => ({ backup, ...finding }));
  });
  const isDamage = [...leftOut.values()].some(({ code }) => code !== 'manifest-unsupported');
  const why = isDamage ? 'damaged' : 'of a format that is not known here';
  const message =
    more.length === 0
      ? `backup ${first} is ${why} and was not copied`
      : `${leftOut.size} backups are ${why} and were not copied`;
  return new SkepError(isDamage ? 'damage-found' : 'manifest-unsupported', message, {
    ...(isDamage ? { hint: `Run \`skep verify ${first} --level data\`: it says what mends it.` } : {}),
    context: {
      backups: [...leftOut.keys()],
      findings,
      copied: report.copied.map((c) => c.from),
      there: report.there,
      planned: report.planned,
    },
    cause: leftOut.get(first),
  });
}
