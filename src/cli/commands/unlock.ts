import type { Command } from 'commander';
import { type LeaseInfo, leases, SkepError, unlock } from '../../index.ts';
import { ask, canAsk } from '../ask.ts';
import { eventRenderer } from '../render/events.ts';
import { seconds } from '../render/size.ts';
import { table } from '../render/table.ts';
import { clusterOf, type ClusterOptions, onCluster } from '../shared-options.ts';

export function registerUnlock(program: Command): void {
  onCluster(
    program.command('unlock').argument('[ids...]', 'leases to take away (default: all whose owners are silent)'),
  )
    .description('show who holds what in the repository, and take leases away from owners that are dead')
    .option('-y, --yes', 'do not ask')
    .option('--force', 'also from an owner that is alive: it then fails, and does no harm')
    .addHelpText(
      'after',
      '\nLeases of dead runs need no unlock, the next run takes them; a restore that never goes on does.\n' +
        '\nExamples:\n  skep unlock\n  skep unlock 5f0c0b3e9b8f4a0d8a3b1c2d3e4f5061 --yes',
    )
    .action(async (ids: string[], o: ClusterOptions & { yes?: boolean; force?: boolean }) => {
      const cluster = await clusterOf(o);
      const emit = eventRenderer(o.json === true);
      const all = await leases(cluster);
      const tell = (taken: readonly LeaseInfo[]) => emit({ type: 'result', command: 'unlock', leases: all, taken });
      if (!o.json) process.stdout.write(text(all));
      const chosen = ids.length > 0 ? ids : all.filter(isOver).map((l) => l.id);
      if (chosen.length === 0 || (!o.yes && !canAsk())) {
        if (o.json) return tell([]);
        if (chosen.length > 0) process.stdout.write('nothing was changed: name the leases, with `--yes`\n');
        return;
      }
      if (
        !o.yes &&
        (await ask(`Take away ${chosen.length === 1 ? chosen[0] : `${chosen.length} leases`}? (yes) `)) !== 'yes'
      )
        throw new SkepError('usage', 'not confirmed; nothing was changed');
      const taken = await unlock(cluster, { ids: chosen, force: o.force === true });
      if (o.json) tell(taken);
      else process.stdout.write(`${taken.length} ${taken.length === 1 ? 'lease' : 'leases'} taken away\n`);
    });
}

function isOver(lease: LeaseInfo): boolean {
  return lease.readable && (lease.stale || lease.revoked);
}

function text(all: readonly LeaseInfo[]): string {
  if (all.length === 0) return 'nobody holds a lease\n';
  const rows = all.map((l) => [
    l.id,
    l.kind,
    l.owner.run,
    l.owner.host,
    String(l.owner.pid),
    l.acquiredAt.slice(0, 19),
    `${seconds(l.silentMs / 1000)} ago`,
    !l.readable ? 'CANNOT BE READ' : l.revoked ? 'taken away' : l.stale ? 'silent' : 'alive',
  ]);
  return table(['lease', 'kind', 'run', 'host', 'pid', 'since (UTC)', 'heard of', 'state'], rows);
}
