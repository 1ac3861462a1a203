import { type Command, InvalidArgumentError } from 'commander';
import { forget, type ForgetReport, parseDuration, type RetentionRules, SkepError } from '../../index.ts';
import { eventRenderer } from '../render/events.ts';
import { table } from '../render/table.ts';
import { clusterOf, type ClusterOptions, onCluster } from '../shared-options.ts';
import { interruptible } from '../signals.ts';

interface ForgetCliOptions extends ClusterOptions {
  keepLast?: number;
  keepHourly?: number;
  keepDaily?: number;
  keepWeekly?: number;
  keepMonthly?: number;
  keepWithin?: number;
  dryRun?: boolean;
}

export function registerForget(program: Command): void {
  onCluster(program.command('forget').argument('[ids...]', 'backups to forget: ids, or beginnings of ids'))
    .description('forget backups, by rules or by their ids; `skep prune` then frees the space')
    .option('--keep-last <n>', 'keep the newest n', count)
    .option('--keep-hourly <n>', 'keep the newest of each of n hours (all periods in UTC, by cut time)', count)
    .option('--keep-daily <n>', 'keep the newest of each of n days', count)
    .option('--keep-weekly <n>', 'keep the newest of each of n weeks', count)
    .option('--keep-monthly <n>', 'keep the newest of each of n months', count)
    .option('--keep-within <time>', 'keep all that are no older than this, seen from the newest', time)
    .option('--dry-run', 'show what would be kept, and why, and change nothing')
    .addHelpText(
      'after',
      '\nWithout ids and rules those of `retention` in skep.yaml count. Damaged backups go only by their ids, and\n' +
        '`retention.minimum` complete ones stay in any case.\n\nExamples:\n' +
        '  skep forget --keep-daily 7 --keep-weekly 5 --keep-monthly 12 --dry-run\n  skep forget 20261122T223755Z',
    )
    .action(async (ids: string[], o: ForgetCliOptions) => {
      const rules = rulesOf(o);
      if (ids.length > 0 && rules !== undefined) {
        throw new SkepError('usage', 'backups are forgotten by their ids or by rules, not by both', {
          hint: 'Leave out the ids, or the `--keep-…` options.',
        });
      }
      const cluster = await clusterOf(o);
      const report = await interruptible((signal) =>
        forget(cluster, {
          ...(ids.length > 0 ? { ids } : {}),
          ...(rules === undefined ? {} : { rules }),
          dryRun: o.dryRun === true,
          signal,
        }),
      );
      if (o.json) eventRenderer(true)({ type: 'result', command: 'forget', ...report });
      else process.stdout.write(text(report));
    });
}

function text({ backups, forgotten, dryRun }: ForgetReport): string {
  const rows = backups.map((b) => [
    b.keep ? 'keep' : 'forget',
    b.id,
    b.at?.replace('T', ' ').slice(0, 19) ?? b.state.toUpperCase(),
    b.reasons.join(', '),
  ]);
  const will = dryRun ? 'would be forgotten; nothing was changed' : 'forgotten';
  const then = dryRun || forgotten.length === 0 ? '' : ': `skep prune` frees what only they needed';
  return `${table(['', 'backup', 'cut (UTC)', 'why'], rows)}${forgotten.length} of ${backups.length} backups ${will}${then}\n`;
}

function rulesOf(o: ForgetCliOptions): RetentionRules | undefined {
  const given = {
    last: o.keepLast,
    hourly: o.keepHourly,
    daily: o.keepDaily,
    weekly: o.keepWeekly,
    monthly: o.keepMonthly,
    withinMs: o.keepWithin,
  };
  const rules = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  return Object.keys(rules).length === 0 ? undefined : rules;
}

function count(text: string): number {
  if (!/^\d{1,6}$/.test(text)) throw new InvalidArgumentError('not a number.');
  return Number(text);
}

function time(text: string): number {
  const ms = parseDuration(text);
  if (ms === undefined) throw new InvalidArgumentError('write 36h, 30d.');
  return ms;
}
