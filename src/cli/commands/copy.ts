import { type Command, InvalidArgumentError } from 'commander';
import { copy, type CopyResult } from '../../index.ts';
import { eventRenderer } from '../render/events.ts';
import { size } from '../render/size.ts';
import { clusterOf, type ClusterOptions, onCluster } from '../shared-options.ts';
import { interruptible } from '../signals.ts';

interface CopyCliOptions extends ClusterOptions {
  to: string;
  last?: number;
  init?: boolean;
  dryRun?: boolean;
}

export function registerCopy(program: Command): void {
  onCluster(program.command('copy').argument('[ids...]', 'backups: ids, beginnings of ids, or `latest` (default: all)'))
    .description('bring backups into another repository: what is not there yet, checked on the way')
    .requiredOption('--to <repository>', 'a name under `copies` in skep.yaml, an absolute path, or s3://bucket/prefix')
    .option('--last <n>', 'the newest n only', count)
    .option('--init', 'make the other repository when there is none')
    .option('--dry-run', 'show what would be copied and change nothing')
    .addHelpText(
      'after',
      '\nBetween repositories with the same keys, or none, no private key is needed. An interrupted copy goes on where it' +
        '\nwas: run it again. Exit code 4 when a backup is damaged and was not copied; the others are.\n\nExamples:\n' +
        '  skep copy --to /mnt/offsite/skep --init\n  skep copy --to offsite --last 7',
    )
    .action(async (ids: string[], o: CopyCliOptions) => {
      const cluster = await clusterOf(o);
      const emit = eventRenderer(o.json === true);
      const { to, last } = o;
      const result = await interruptible((signal) =>
        copy(cluster, {
          to,
          ids,
          ...(last === undefined ? {} : { last }),
          init: o.init === true,
          dryRun: o.dryRun === true,
          signal,
          emit,
        }),
      );
      if (o.json) emit({ type: 'result', command: 'copy', ...result });
      else process.stdout.write(text(result, o.dryRun === true));
    });
}

function count(text: string): number {
  const n = Number(text);
  if (!Number.isInteger(n) || n < 1) throw new InvalidArgumentError('must be a whole number from 1 on.');
  return n;
}

function text(r: CopyResult, dryRun: boolean): string {
  const lines = r.copied.map(
    (b) => `${b.from} copied${b.id === b.from ? '' : ` as ${b.id}`}: ${size(b.newBytes)} new of ${size(b.bytes)}`,
  );
  if (dryRun) lines.push(...r.planned.map((id) => `${id} would be copied`));
  lines.push(`${r.there.length} backups were at ${r.location} already`);
  return `${lines.join('\n')}\n`;
}
