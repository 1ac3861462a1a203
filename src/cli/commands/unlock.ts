import type { Command } from 'commander';
import { leases, type ShownLease, SkepError, unlock } from '../../index.ts';
import { ask, canAsk } from '../ask.ts';
import { eventRenderer } from '../render/events.ts';
import { seconds } from '../render/size.ts';
import { table } from '../render/table.ts';
import { clusterOf, type ClusterOptions, onCluster } from '../shared-options.ts';
import { interruptible } from '../signals.ts';

interface UnlockCliOptions extends ClusterOptions {
  yes?: boolean;
  force?: boolean;
  dryRun?: boolean;
}

export function registerUnlock(program: Command): void {
  onCluster(
    program.command('unlock').argument('[ids...]', 'leases to take away (default: all whose owners are silent)'),
  )
    .description('show who holds what in the repository, and take leases away from owners that are dead')
    .option('-y, --yes', 'do not ask')
    .option(
      '--force',
      'also from an owner that is alive, is not known, or does not answer; it is told what that can harm',
    )
    .option('--dry-run', 'show what would be taken away, and what that can harm, and change nothing')
    .addHelpText(
      'after',
      '\nLeases of dead runs need no unlock, the next run takes them; a restore that never goes on does. An owner that only\n' +
        'paused fails when it comes back. Before you force, make sure that its process has ended: a prune on object storage\n' +
        'cannot be kept from the deletion that it was about to do.\n' +
        '\nExamples:\n  skep unlock\n  skep unlock 5f0c0b3e9b8f4a0d8a3b1c2d3e4f5061 --dry-run',
    )
    .action(async (ids: string[], o: UnlockCliOptions) => {
      const cluster = await clusterOf(o);
      const emit = eventRenderer(o.json === true);
      const all = await leases(cluster);
      const tell = (taken: readonly ShownLease[]) => emit({ type: 'result', command: 'unlock', leases: all, taken });
      const take = (chosen: readonly string[], dryRun: boolean) =>
        interruptible((signal) => unlock(cluster, { ids: chosen, force: o.force === true, dryRun, signal }));
      if (!o.json) process.stdout.write(text(all));
      const chosen = ids.length > 0 ? ids : all.filter(isOver).map((l) => l.id);
      if (o.dryRun) return emit({ type: 'plan', steps: stepsOf(await take(chosen, true)) });
      if (chosen.length === 0 || (!o.yes && !canAsk())) {
        if (ids.length > 0) throw unconfirmed(await take(chosen, true));
        if (o.json) return tell([]);
        if (chosen.length > 0) process.stdout.write('nothing was changed: name the leases, with `--yes`\n');
        return;
      }
      if (!o.yes) await confirm(await take(chosen, true));
      const taken = await take(chosen, false);
      if (o.json) tell(taken);
      else process.stdout.write(`${taken.length} ${taken.length === 1 ? 'lease' : 'leases'} taken away\n`);
    });
}

function isOver(lease: ShownLease): boolean {
  return lease.readable && (lease.stale || lease.revoked);
}

function stepsOf(chosen: readonly ShownLease[]): { text: string; changes: boolean }[] {
  if (chosen.length === 0) return [{ text: 'nothing: no owner is silent', changes: false }];
  return chosen.map((lease) => ({ text: `take away ${described(lease)}`, changes: true }));
}

function described({ id, kind, readable, owner, acquiredAt, harm }: ShownLease): string {
  const who = readable ? `the ${kind} lease ${id} of ${owner.host} (pid ${owner.pid}, since ${acquiredAt})` : id;
  return `${who}: ${harm}`;
}

/** Who names a lease wants it gone: a script must not take this for success. */
function unconfirmed(chosen: readonly ShownLease[]): SkepError {
  const ids = chosen.map(({ id }) => id).join(' ');
  return new SkepError('usage', `${chosen.map(described).join('; ')}: not confirmed, nothing was changed`, {
    hint: `Look at \`skep unlock ${ids} --dry-run\`, then run it with \`--yes\`.`,
  });
}

async function confirm(chosen: readonly ShownLease[]): Promise<void> {
  for (const lease of chosen) process.stderr.write(`${described(lease)}\n`);
  const what = chosen.length === 1 ? 'it' : `these ${chosen.length} leases`;
  if ((await ask(`Take ${what} away? (yes) `)) === 'yes') return;
  throw new SkepError('usage', 'not confirmed; nothing was changed');
}

function text(all: readonly ShownLease[]): string {
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
