import { type Command, Option } from 'commander';
import { type ClusterConfig, type Emit, type ReadKeys, restore, SkepError, type VerifyLevel } from '../../index.ts';
import { ask, canAsk } from '../ask.ts';
import { eventRenderer } from '../render/events.ts';
import { micros, seconds } from '../render/size.ts';
import {
  clusterOf,
  type ClusterOptions,
  type IdentityOption,
  identityOption,
  keysOf,
  onCluster,
} from '../shared-options.ts';
import { interruptible } from '../signals.ts';

interface RestoreCliOptions extends ClusterOptions, IdentityOption {
  dryRun?: boolean;
  yes?: boolean;
  verify: VerifyLevel;
}

export function registerRestore(program: Command): void {
  onCluster(program.command('restore').argument('<id>', 'a backup: its id, the beginning of it, or `latest`'))
    .description('bring the whole cluster, in place, to the instant of a backup; what is there now is set aside')
    .option('--dry-run', 'show the plan and change nothing')
    .option('-y, --yes', 'do not ask')
    .addOption(identityOption())
    .addOption(
      new Option('--verify <level>', 'how the backup is checked before anything is changed')
        .choices(['structure', 'presence', 'data'])
        .default('data'),
    )
    .addHelpText(
      'after',
      '\nAn interrupted restore goes on where it stopped: run the same command again.\n\nExamples:\n' +
        '  skep restore latest --dry-run\n  skep restore 20261122T223755Z --yes',
    )
    .action(async (id: string, o: RestoreCliOptions) => {
      const cluster = await clusterOf(o);
      const emit = eventRenderer(o.json === true);
      if (!o.dryRun && !o.yes) await confirm(cluster, id, emit, keysOf(o));
      const result = await interruptible((signal) =>
        restore(cluster, { id, signal, emit, dryRun: o.dryRun === true, verify: o.verify, keys: keysOf(o) }),
      );
      if (!result) return;
      if (o.json) return emit({ type: 'result', command: 'restore', ...result });
      process.stdout.write(
        `restored ${result.backup} in ${seconds(result.seconds)}: everything acknowledged before ${micros(result.T)}, nothing after\n` +
          `  index: ${result.index.ghosts} ghosts removed, ${result.index.reindexed} documents written again (${result.index.mode})\n` +
          (result.auditsFile
            ? `  ${result.auditsSetAside} audit entries after T set aside: ${result.auditsFile}\n`
            : ''),
      );
    });
}

/** On a terminal the plan is shown and the cluster's name asked for; elsewhere `--yes` is needed. */
async function confirm(cluster: ClusterConfig, id: string, emit: Emit, keys: ReadKeys): Promise<void> {
  if (!canAsk()) {
    throw new SkepError('usage', 'a restore replaces all data of the cluster and was not confirmed', {
      hint: `Look at \`skep restore ${id} --dry-run\`, then run it with \`--yes\`.`,
    });
  }
  await interruptible((signal) => restore(cluster, { id, signal, emit, dryRun: true, keys }));
  const answer = await ask(`Type the name of the cluster (${cluster.name}) to go on: `);
  if (answer !== cluster.name) throw new SkepError('usage', 'not confirmed; nothing was changed');
}
