import type { Command } from 'commander';
import { type BackupSummary, list } from '../../index.ts';
import { eventRenderer } from '../render/events.ts';
import { micros, size } from '../render/size.ts';
import { clusterOf, type ClusterOptions, onCluster } from '../shared-options.ts';

export function registerList(program: Command): void {
  onCluster(program.command('list'))
    .description('the backups of the repository, newest first')
    .addHelpText('after', '\nExamples:\n  skep list\n  skep list --json | jq -r .backups[0].id')
    .action(async (o: ClusterOptions) => {
      const backups = await list(await clusterOf(o));
      if (o.json) eventRenderer(true)({ type: 'result', command: 'list', backups: backups.map(row) });
      else if (backups.length === 0) process.stdout.write('no backup yet\n');
      else for (const b of backups) process.stdout.write(`${line(b)}\n`);
    });
}

function row(b: BackupSummary): Record<string, unknown> {
  if (b.state === 'damaged') return b;
  const { id, state, manifest: m } = b;
  const sum = (key: 'files' | 'bytes' | 'newBytes') => m.parts.reduce((n, p) => n + p[key], 0);
  return {
    id,
    state,
    consistency: m.consistency,
    ...(m.cutMicros === undefined ? {} : { T: m.cutMicros, cutAt: micros(m.cutMicros) }),
    ...(m.windowMs === undefined ? {} : { windowMs: m.windowMs }),
    startedAt: m.startedAt,
    finishedAt: m.finishedAt,
    files: sum('files'),
    bytes: sum('bytes'),
    newBytes: sum('newBytes'),
  };
}

function line(b: BackupSummary): string {
  if (b.state === 'damaged') {
    const what = b.finding === 'manifest-unsupported' ? 'UNKNOWN ' : 'DAMAGED ';
    return `${b.id}  ${what}  ${b.finding}: ${b.message}`;
  }
  const r = row(b) as { bytes: number; newBytes: number; cutAt?: string; windowMs?: number };
  const when = r.cutAt ? `cut ${r.cutAt}` : `window of ${r.windowMs} ms`;
  return `${b.id}  complete  ${when}  ${size(r.bytes).padStart(9)}  new ${size(r.newBytes).padStart(9)}`;
}
