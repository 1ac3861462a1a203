import { type Command, Option } from 'commander';
import { type Finding, parseSubset, SkepError, type Subset, verify, type VerifyLevel } from '../../index.ts';
import { eventRenderer } from '../render/events.ts';
import { size } from '../render/size.ts';
import { clusterOf, type ClusterOptions, type IdentityOption, keysOf, onCluster } from '../shared-options.ts';
import { interruptible } from '../signals.ts';

interface VerifyCliOptions extends ClusterOptions, IdentityOption {
  level: VerifyLevel;
  subset?: string;
}

export function registerVerify(program: Command): void {
  onCluster(program.command('verify').argument('[id]', 'a backup (default: all of them)'))
    .description('check what is stored; exit code 4 when anything is damaged')
    .addOption(
      new Option('--level <level>', 'manifests and listings; and the size of every object; and every stored byte')
        .choices(['structure', 'presence', 'data'])
        .default('presence'),
    )
    .addOption(
      new Option(
        '--identity <file>',
        'age identities: in a sealed repository listings are then opened and compared too',
      ),
    )
    .option(
      '--subset <n/t>',
      'at level data: read only part n of t of the objects (all parts together are all of them), or a share like 5%',
    )
    .addHelpText(
      'after',
      '\nExamples:\n  skep verify\n  skep verify latest --level data' +
        '\n  skep verify --level data --subset $(date +%-d)/31   (each night; a month of 31 days reads everything once)',
    )
    .action(async (id: string | undefined, o: VerifyCliOptions) => {
      const subset = subsetOf(o);
      const cluster = await clusterOf(o);
      const emit = eventRenderer(o.json === true);
      const report = await interruptible((signal) =>
        verify(cluster, {
          ...(id ? { id } : {}),
          level: o.level,
          ...(subset ? { subset } : {}),
          signal,
          emit,
          ...(o.identity ? { keys: keysOf(o) } : {}),
        }),
      );
      if (o.json) emit({ type: 'result', command: 'verify', ...report });
      else {
        for (const f of report.findings) process.stdout.write(`${line(f)}\n`);
        for (const note of report.notes) process.stderr.write(`note: ${note}\n`);
        process.stdout.write(
          `${report.backups.length} backups, ${report.objects} objects, ${size(report.bytes)} at level ${report.level}` +
            `${subset ? ` (read: ${report.read.objects} objects, ${size(report.read.bytes)})` : ''}: ` +
            `${report.ok ? 'all good' : `${report.findings.length} findings`}` +
            `${report.closed ? ' (sealed: as it is stored; `--identity FILE` opens the listings)' : ''}\n`,
        );
      }
      if (!report.ok) {
        throw new SkepError('damage-found', `${report.findings.length} findings at level ${report.level}`, {
          hint: 'Run `skep backup`: what the cluster still has is stored anew, and makes these backups whole; then verify again.',
          context: { findings: report.findings.length },
        });
      }
    });
}

/** Error: `usage`, also at another level, where nothing is read. */
function subsetOf(o: VerifyCliOptions): Subset | undefined {
  if (o.subset === undefined || o.level === 'data') return o.subset === undefined ? undefined : parseSubset(o.subset);
  throw new SkepError('usage', `at level ${o.level} no object is read, so there is no subset of them`, {
    hint: 'Add `--level data`.',
  });
}

function line(f: Finding): string {
  const where = f.hits.map((h) => `${h.backup} ${h.node}/${h.store}${h.paths[0] ? ` ${h.paths[0]}` : ''}`).join('; ');
  return `${f.kind}  ${f.key}  ${f.message}${where ? `  (${where})` : ''}${f.hint ? `\n  ${f.hint}` : ''}`;
}
