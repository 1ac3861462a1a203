import { type Command, InvalidArgumentError } from 'commander';
import { copy, type CopyResult } from '../../index.ts';
import { eventRenderer } from '../render/events.ts';
import { size } from '../render/size.ts';
import {
  clusterOf,
  type ClusterOptions,
  type IdentityOption,
  identityOption,
  keysOf,
  onCluster,
} from '../shared-options.ts';
import { interruptible } from '../signals.ts';

interface CopyCliOptions extends ClusterOptions, IdentityOption {
  to: string;
  last?: number;
  init?: boolean;
  dryRun?: boolean;
}

export function registerCopy(program: Command): void {
  onCluster(program.command('copy').argument('[ids...]', 'backups: ids, beginnings of ids, or `latest` (default: all)'))
    .description('bring backups into another repository: what is not there yet, checked on the way')
    .requiredOption('--to <repository>', 'a name under `copies` in skep.yaml, an absolute path, or s3://bucket/prefix')
    .option('--last <n>', 'the newest n only that are whole', count)
    .option('--init', 'make the other repository when there is none')
    .addOption(identityOption())
    .option('--dry-run', 'show what would be copied and change nothing')
    .addHelpText(
      'after',
      '\nBetween repositories with the same keys, or none, no identity is needed; else contents are opened, and sealed to the' +
        '\nrecipients of the other. After `skep keys rotate` the next copy rotates a repository that had the same keys.' +
        '\nAn interrupted copy goes on where it was: run it again. Exit code 4 when a backup is damaged and was not copied; the' +
        '\nothers are, and with --last an older one takes its place.\n\nExamples:\n' +
        '  skep copy --to /mnt/offsite/skep --init\n  skep copy --to offsite --last 7\n' +
        '  skep copy --to partner --identity /root/skep-identity.txt',
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
          keys: keysOf(o),
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
  if (r.rotated) {
    lines.push(
      `${dryRun ? 'would seal' : 'seals'} what is new to the recipients of this repository: its keys were older`,
    );
  }
  lines.push(`${r.there.length} backups were at ${r.location} already`);
  return `${lines.join('\n')}\n`;
}
