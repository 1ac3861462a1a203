import { type Command, Option } from 'commander';
import { backup, type Compression } from '../../index.ts';
import { eventRenderer } from '../render/events.ts';
import { micros, seconds, size } from '../render/size.ts';
import { clusterOf, type ClusterOptions, onCluster } from '../shared-options.ts';
import { interruptible } from '../signals.ts';

export function registerBackup(program: Command): void {
  onCluster(program.command('backup'))
    .description('take a backup of the running cluster: one instant, published only when it is whole')
    .option('--dry-run', 'show the plan and change nothing')
    .addOption(
      new Option(
        '--compression <how>',
        'new contents: as they are, zstd where a sample shrinks, or as far as zstd can (default: what the configuration says, else auto)',
      ).choices(['off', 'auto', 'max']),
    )
    .addHelpText('after', '\nExamples:\n  skep backup\n  skep backup --dry-run\n  skep backup --json | jq .type')
    .action(async (o: ClusterOptions & { dryRun?: boolean; compression?: Compression }) => {
      const cluster = await clusterOf(o);
      const emit = eventRenderer(o.json === true);
      const result = await interruptible((signal) =>
        backup(cluster, {
          signal,
          emit,
          dryRun: o.dryRun === true,
          ...(o.compression ? { compression: o.compression } : {}),
        }),
      );
      if (!result) return;
      if (o.json) emit({ type: 'result', command: 'backup', ...result });
      else {
        process.stdout.write(
          `backup ${result.id} complete: everything acknowledged before ${micros(result.T)}\n` +
            `  ${result.files} files, ${size(result.bytes)}, of which new ${size(result.newBytes)}; ${seconds(result.seconds)}\n`,
        );
      }
    });
}
