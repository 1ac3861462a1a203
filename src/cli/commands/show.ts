import type { Command } from 'commander';
import { show, type ShownBackup } from '../../index.ts';
import { eventRenderer } from '../render/events.ts';
import { micros, seconds, size } from '../render/size.ts';
import { clusterOf, type ClusterOptions, onCluster } from '../shared-options.ts';

export function registerShow(program: Command): void {
  onCluster(program.command('show').argument('<id>', 'a backup: its id, the beginning of it, or `latest`'))
    .description('one backup: its cut, the evidence, sizes, and what was new')
    .addHelpText('after', '\nExample:\n  skep show latest')
    .action(async (id: string, o: ClusterOptions) => {
      const b = await show(await clusterOf(o), id);
      if (o.json) eventRenderer(true)({ type: 'result', command: 'show', backup: b });
      else process.stdout.write(`${text(b)}\n`);
    });
}

function text(b: ShownBackup): string {
  const { cut } = b;
  const took = (Date.parse(b.finishedAt) - Date.parse(b.startedAt)) / 1000;
  return [
    `backup       ${b.id} of ${b.cluster.name}, ${b.state}, by skep ${b.skep}`,
    `taken        ${b.startedAt}, in ${seconds(took)}`,
    ...(b.consistency === 'cut'
      ? [`cut          ${micros(cut.T)} (T = ${cut.T} µs)`]
      : [`window       ${b.windowMs} ms`]),
    `evidence     ${cut.attempts} ${cut.attempts === 1 ? 'try' : 'tries'}, linger ${cut.lingerMs / 1000}s, clocks within ${clockSpread(b)} ms`,
    ...cut.segments.map(
      (s) =>
        `  ${s.node.padEnd(10)} ${s.ids.length} segments (${s.ids[0]} to ${s.ids.at(-1)}), ` +
        `${s.evidence.kept} mutations kept, ${s.evidence.afterT} after T`,
    ),
    `elasticsearch ${b.search.version}: ${b.search.indices.map((i) => `${i.name} (${i.docs} docs)`).join(', ')}`,
    ...(b.files.mismatched.length > 0 ? [`damaged attachments: ${b.files.mismatched.join(', ')}`] : []),
    'parts',
    ...b.parts.map(
      (p) =>
        `  ${p.node.padEnd(10)} ${p.store.padEnd(14)} ${String(p.files).padStart(7)} files ${size(p.bytes).padStart(9)}  new ${size(p.newBytes).padStart(9)}`,
    ),
  ].join('\n');
}

function clockSpread(b: ShownBackup): string {
  const o = b.cut.clocks.map((c) => c.offsetUs);
  return ((Math.max(...o) - Math.min(...o)) / 1000).toFixed(2);
}
