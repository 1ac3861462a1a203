import { type Command, Option } from 'commander';
import { check, type Fix, SkepError } from '../../index.ts';
import { eventRenderer } from '../render/events.ts';
import { clusterOf, type ClusterOptions, onCluster } from '../shared-options.ts';
import { interruptible } from '../signals.ts';

interface CheckCliOptions extends ClusterOptions {
  fix?: Fix;
  only?: string[];
  dryRun?: boolean;
}

export function registerCheck(program: Command): void {
  onCluster(program.command('check'))
    .description('look at all that a backup relies on: pass, warn or fail, and the command that mends it')
    .addOption(new Option('--fix <what>', 'mend one thing, after showing the plan').choices(['replication', 'repair']))
    .option('--only <ids...>', 'run only these checks')
    .option('--dry-run', 'with --fix: show the plan and change nothing')
    .addHelpText(
      'after',
      '\nExit code 5 when anything fails.\n\nExamples:\n  skep check\n  skep check --fix replication --dry-run\n' +
        '  skep check --fix repair',
    )
    .action(async (o: CheckCliOptions) => {
      const cluster = await clusterOf(o);
      const emit = eventRenderer(o.json === true);
      const report = await interruptible((signal) =>
        check(cluster, {
          signal,
          emit,
          dryRun: o.dryRun === true,
          ...(o.fix ? { fix: o.fix } : {}),
          ...(o.only ? { only: o.only } : {}),
        }),
      );
      if (o.json) emit({ type: 'result', command: 'check', ...report });
      else process.stdout.write(`${report.passed} passed, ${report.warned} warnings, ${report.failed} failed\n`);
      if (!report.ok) throw new SkepError('preflight-failed', `${report.failed} checks failed`);
    });
}
