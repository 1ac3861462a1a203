import type { Command } from 'commander';
import { keys, type KeysReport, rotateKeys } from '../../index.ts';
import { eventRenderer } from '../render/events.ts';
import { clusterOf, onCluster, type ClusterOptions } from '../shared-options.ts';
import { interruptible } from '../signals.ts';

interface KeysCliOptions extends ClusterOptions {
  of?: string;
}

const OF = [
  '--of <repository>',
  'that of a copy instead: a name under `copies` in skep.yaml, an absolute path, or s3://bucket/prefix',
] as const;

export function registerKeys(program: Command): void {
  const command = onCluster(program.command('keys'))
    .description('whom a sealed repository seals to, and since when')
    .option(...OF)
    .addHelpText(
      'after',
      '\nExamples:\n  skep keys\n  skep keys --of offsite\n  skep keys rotate --dry-run\n  skep keys rotate',
    )
    .action(async (o: KeysCliOptions) => {
      const report = await keys(await clusterOf(o), ofThat(o));
      if (o.json) eventRenderer(true)({ type: 'result', command: 'keys', ...report });
      else process.stdout.write(`${text(report)}\n`);
    });
  onCluster(command.command('rotate'))
    .description('seal what is new to the recipients of the configuration; what is stored stays as it is')
    .option(...OF)
    .option('--dry-run', 'show the plan and change nothing')
    .addHelpText(
      'after',
      '\nKeep the old identities: contents that were stored before are needed by newer backups too. Copies with the same keys' +
        '\nare rotated by the next `skep copy`; --of is for those that have recipients of their own.\n\n' +
        'Examples:\n  skep keys rotate --dry-run\n  skep keys rotate --of offsite',
    )
    .action(async (_o: unknown, command: Command) => {
      const o = command.optsWithGlobals<KeysCliOptions & { dryRun?: boolean }>();
      const cluster = await clusterOf(o);
      const emit = eventRenderer(o.json === true);
      const dryRun = o.dryRun === true;
      const generation = await interruptible((signal) => rotateKeys(cluster, { ...ofThat(o), dryRun, signal }));
      if (dryRun) {
        const { configured } = await keys(cluster, ofThat(o));
        return emit({
          type: 'plan',
          steps: [{ text: `seal new contents to ${configured.join(', ')}`, changes: true }],
        });
      }
      if (o.json) emit({ type: 'result', command: 'keys rotate', generation });
      else process.stdout.write(`generation ${generation} of the keys: new contents go to the new recipients\n`);
    });
}

function ofThat({ of }: KeysCliOptions): { of?: string } {
  return of === undefined ? {} : { of };
}

function text(r: KeysReport): string {
  if (!r.sealed) return 'the repository is not sealed';
  const lines = r.generations.flatMap((g) => [
    `generation ${g.generation}, since ${g.createdAt}${g.genuine === false ? ', NOT made with the naming key' : ''}`,
    ...g.recipients.map((recipient) => `  ${recipient}`),
  ]);
  if (!r.agree) lines.push('the configuration names others: `skep keys rotate`', ...r.configured.map((c) => `  ${c}`));
  return lines.join('\n');
}
