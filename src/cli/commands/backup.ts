import { type Command, InvalidArgumentError, Option } from 'commander';
import { backup, type ClusterConfig, type Compression, parseSize } from '../../index.ts';
import { eventRenderer } from '../render/events.ts';
import { micros, seconds, size } from '../render/size.ts';
import { clusterOf, type ClusterOptions, onCluster } from '../shared-options.ts';
import { interruptible } from '../signals.ts';

interface BackupCliOptions extends ClusterOptions {
  dryRun?: boolean;
  compression?: Compression;
  nice?: number;
  parallel?: number;
  limitUpload?: number;
  consistency?: 'cut' | 'cold';
}

export function registerBackup(program: Command): void {
  onCluster(program.command('backup'))
    .description('take a backup of the running cluster: one instant, published only when it is whole')
    .addOption(
      new Option(
        '--consistency <how>',
        'the running cluster at one instant, or with TheHive stopped until the cut is taken',
      )
        .choices(['cut', 'cold'])
        .default('cut'),
    )
    .option('--dry-run', 'show the plan and change nothing')
    .addOption(
      new Option(
        '--compression <how>',
        'new contents: as they are, zstd where a sample shrinks, or as far as zstd can (default: what the configuration says, else auto)',
      ).choices(['off', 'auto', 'max']),
    )
    .option('--limit-upload <rate>', 'what each node sends to the repository at most in a second, such as 50MB', rate)
    .option('--parallel <n>', 'files that each node stores at once', number(1, 64))
    .option('--nice <n>', 'niceness of what runs on the nodes, 0 to 19 (default: 10)', number(0, 19))
    .addHelpText(
      'after',
      '\nExamples:\n  skep backup\n  skep backup --dry-run\n  skep backup --consistency cold\n  skep backup --limit-upload 50MB\n  skep backup --json | jq .type',
    )
    .action(async (o: BackupCliOptions) => {
      const cluster = withLimits(await clusterOf(o), o);
      const emit = eventRenderer(o.json === true);
      const result = await interruptible((signal) =>
        backup(cluster, {
          signal,
          emit,
          dryRun: o.dryRun === true,
          cold: o.consistency === 'cold',
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

/** What the command line says goes before the configuration. */
function withLimits(cluster: ClusterConfig, { nice, parallel, limitUpload }: BackupCliOptions): ClusterConfig {
  const limits = {
    ...(nice === undefined ? {} : { nice }),
    ...(parallel === undefined ? {} : { parallel }),
    ...(limitUpload === undefined ? {} : { limit_upload: limitUpload }),
  };
  return { ...cluster, agent: { ...cluster.agent, ...limits } };
}

function rate(text: string): number {
  const bytes = parseSize(text.replace(/\/s$/, ''));
  if (bytes === undefined || bytes === 0) throw new InvalidArgumentError('must be a size above 0, such as 50MB.');
  return bytes;
}

function number(least: number, most: number): (text: string) => number {
  return (text) => {
    const n = Number(text);
    if (Number.isInteger(n) && n >= least && n <= most) return n;
    throw new InvalidArgumentError(`must be a whole number from ${least} to ${most}.`);
  };
}
