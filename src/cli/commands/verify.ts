import { type Command, Option } from 'commander';
import {
  type Finding,
  parseSubset,
  SkepError,
  type Subset,
  verify,
  type VerifyLevel,
  type VerifyReport,
} from '../../index.ts';
import { eventRenderer } from '../render/events.ts';
import { size } from '../render/size.ts';
import { clusterOf, type ClusterOptions, type IdentityOption, keysOf, onCluster } from '../shared-options.ts';
import { interruptible } from '../signals.ts';

interface VerifyCliOptions extends ClusterOptions, IdentityOption {
  level?: VerifyLevel;
  subset?: string;
}

export function registerVerify(program: Command): void {
  onCluster(program.command('verify').argument('[id]', 'a backup (default: all of them)'))
    .description(
      'check what is stored; exit code 4 when anything is damaged, 15 when all else is whole and a backup is of an unknown format',
    )
    .addOption(
      new Option(
        '--level <level>',
        'manifests and listings; and the size of every object; and every stored byte (default: presence; data with --subset)',
      ).choices(['structure', 'presence', 'data']),
    )
    .addOption(
      new Option(
        '--identity <file>',
        'age identities: in a sealed repository listings are then opened and compared too',
      ),
    )
    .option(
      '--subset <n/t>',
      'read only part n of t of the objects (all parts together are all of them), or a share like 5%: the next part each day, until all were read',
    )
    .addHelpText(
      'after',
      '\nExamples:\n  skep verify\n  skep verify latest --level data' +
        '\n  skep verify --subset 5%   (each night; twenty of them read everything once)' +
        '\n  skep verify --subset $(date +%-d)/31   (each night; a month of 31 days reads everything once)',
    )
    .action(async (id: string | undefined, o: VerifyCliOptions) => {
      const { level, subset } = levelOf(o);
      const cluster = await clusterOf(o);
      const emit = eventRenderer(o.json === true);
      const report = await interruptible((signal) =>
        verify(cluster, {
          ...(id === undefined ? {} : { id }),
          level,
          ...(subset ? { subset } : {}),
          signal,
          emit,
          ...(o.identity ? { keys: keysOf(o) } : {}),
        }),
      );
      if (o.json) emit({ type: 'result', command: 'verify', ...report });
      else {
        const part = report.subset;
        process.stdout.write(text(report.findings));
        if (report.takenBack > 0) {
          process.stdout.write(`${report.takenBack} notes of damage taken back: what they told of is right again\n`);
        }
        for (const note of report.notes) process.stderr.write(`note: ${note}\n`);
        process.stdout.write(
          `${report.backups.length} backups, ${report.objects} objects, ${size(report.bytes)} at level ${report.level}` +
            `${part ? ` (read: part ${part.part} of ${part.of}, ${report.read.objects} objects, ${size(report.read.bytes)})` : ''}: ` +
            `${report.ok ? 'all good' : `${report.findings.length} findings`}` +
            `${report.closed ? ' (sealed: as it is stored; `--identity FILE` opens the listings)' : ''}\n`,
        );
      }
      if (!report.ok) throw failure(report);
    });
}

/** What a newer skep has written is not damage. */
function failure({ findings, level }: VerifyReport): SkepError {
  const context = { findings: findings.length };
  if (findings.every(({ kind }) => kind === 'manifest-unsupported')) {
    const message = `${findings.length} backups have a format that is not known here, and were not checked`;
    return new SkepError('manifest-unsupported', message, { context });
  }
  return new SkepError('damage-found', `${findings.length} findings at level ${level}`, {
    hint: hintOf(findings),
    context,
  });
}

/** A subset is of what level data reads. Error: `usage`, also for a subset at another level. */
function levelOf({ level, subset }: VerifyCliOptions): { level: VerifyLevel; subset?: Subset } {
  if (subset === undefined) return { level: level ?? 'presence' };
  if (level === undefined || level === 'data') return { level: 'data', subset: parseSubset(subset) };
  throw new SkepError('usage', `at level ${level} no object is read, so there is no subset of them`, {
    hint: 'Leave `--level` out, or say `--level data`.',
  });
}

/** Findings that the same mends stand together. */
function text(findings: readonly Finding[]): string {
  return [...Map.groupBy(findings, (f) => f.hint)]
    .map(([hint, alike]) => `${alike.map((f) => `${line(f)}\n`).join('')}  ${hint}\n`)
    .join('');
}

function line(f: Finding): string {
  const where = f.hits.map((h) => `${h.backup} ${h.node}/${h.store}${h.paths[0] ? ` ${h.paths[0]}` : ''}`).join('; ');
  return `${f.kind}  ${f.key}  ${f.message}${where ? `  (${where})` : ''}`;
}

function hintOf(findings: readonly Finding[]): string {
  const [first, ...others] = new Set(findings.map((f) => f.hint));
  if (first !== undefined && others.length === 0) return first;
  return 'Do what the `hint` of each finding says, most often `skep backup` first; then run `skep verify` again.';
}
