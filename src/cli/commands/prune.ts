import type { Command } from 'commander';
import { prune, type PruneReport, SkepError } from '../../index.ts';
import { ask, canAsk } from '../ask.ts';
import { eventRenderer } from '../render/events.ts';
import { size } from '../render/size.ts';
import { clusterOf, type ClusterOptions, onCluster } from '../shared-options.ts';
import { interruptible } from '../signals.ts';

interface PruneCliOptions extends ClusterOptions {
  dryRun?: boolean;
  yes?: boolean;
  wait: boolean;
}

export function registerPrune(program: Command): void {
  onCluster(program.command('prune'))
    .description('free the space of what no backup needs; shows it first, and removes it when that is confirmed')
    .option('--dry-run', 'show what would be removed and change nothing')
    .option('-y, --yes', 'remove without asking')
    .option('--no-wait', 'end with exit code 11 instead of waiting for a backup or restore that is under way')
    .addHelpText('after', '\nExamples:\n  skep prune\n  skep forget --keep-daily 7 && skep prune --yes')
    .action(async (o: PruneCliOptions) => {
      const cluster = await clusterOf(o);
      const emit = eventRenderer(o.json === true);
      const run = (dryRun: boolean) =>
        interruptible((signal) => prune(cluster, { signal, emit, dryRun, wait: o.wait }));
      const tell = (report: PruneReport) => {
        if (o.json) emit({ type: 'result', command: 'prune', ...report });
        else process.stdout.write(text(report));
      };
      if (!o.yes || o.dryRun) {
        const report = await run(true);
        tell(report);
        if (o.dryRun || report.objects + report.pieces === 0) return;
        if (!canAsk()) {
          if (!o.json) process.stdout.write('nothing was removed: run `skep prune --yes`\n');
          return;
        }
        if ((await ask('Remove it? (yes) ')) !== 'yes')
          throw new SkepError('usage', 'not confirmed; nothing was removed');
      }
      tell(await run(false));
    });
}

function text(r: PruneReport): string {
  const what = `${r.objects} objects and ${r.pieces} pieces of listings that none of ${r.backups} backups needs`;
  const lines = [r.dryRun ? `${size(r.bytes)} can be freed: ${what}` : `${size(r.bytes)} freed: ${what}`];
  if (r.locked.keys > 0) {
    lines.push(`${size(r.locked.bytes)} in ${r.locked.keys} more are locked, the last of them until ${r.locked.until}`);
  }
  if (r.unknown > 0) lines.push(`${r.unknown} files that are not skep's were left alone`);
  if (r.ballast === 'no-space') lines.push('there was no room to make the ballast again: free more, then prune again');
  if (r.ballast === 'smaller') {
    lines.push(`there was room for a ballast of ${size(r.ballastBytes)} and ${r.ballastInodes} inodes only`);
  }
  return `${lines.join('\n')}\n`;
}
