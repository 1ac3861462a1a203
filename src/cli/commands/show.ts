import type { Command } from 'commander';
import { show, type ShownBackup, type ShownDetails } from '../../index.ts';
import { eventRenderer } from '../render/events.ts';
import { micros, seconds, size } from '../render/size.ts';
import {
  clusterOf,
  type ClusterOptions,
  type IdentityOption,
  identityOption,
  keysOf,
  onCluster,
} from '../shared-options.ts';

export function registerShow(program: Command): void {
  onCluster(program.command('show').argument('<id>', 'a backup: its id, the beginning of it, or `latest`'))
    .description('one backup: its cut, the evidence, sizes, and what was new')
    .addOption(identityOption())
    .addHelpText('after', '\nExamples:\n  skep show latest\n  skep show latest --identity /root/skep-identity.txt')
    .action(async (id: string, o: ClusterOptions & IdentityOption) => {
      const b = await show(await clusterOf(o), id, keysOf(o));
      if (o.json) eventRenderer(true)({ type: 'result', command: 'show', backup: b });
      else process.stdout.write(`${text(b)}\n`);
    });
}

function text(b: ShownBackup): string {
  const took = (Date.parse(b.finishedAt) - Date.parse(b.startedAt)) / 1000;
  const by = b.details === undefined ? '' : `, by skep ${b.details.skep}`;
  const T = b.cutMicros;
  return [
    `backup       ${b.id} of ${b.cluster.name}, ${b.state}${by}`,
    `taken        ${b.startedAt}, in ${seconds(took)}`,
    T === undefined ? `window       ${b.windowMs} ms` : `cut          ${micros(T)} (T = ${T} µs)`,
    ...(b.details === undefined ? ['evidence     sealed: `--identity FILE` shows it'] : evidence(b.details)),
    'parts',
    ...b.parts.map(
      (p) =>
        `  ${p.node.padEnd(10)} ${p.store.padEnd(14)} ${String(p.files).padStart(7)} files ${size(p.bytes).padStart(9)}  new ${size(p.newBytes).padStart(9)}`,
    ),
  ].join('\n');
}

function evidence({ cut, search, files }: ShownDetails): string[] {
  return [
    `evidence     ${cut.cold ? 'TheHive was stopped, ' : ''}${cut.attempts} ${cut.attempts === 1 ? 'try' : 'tries'}, linger ${cut.lingerMs / 1000}s, clocks within ${clockSpread(cut.clocks)} ms`,
    ...cut.segments.map(
      (s) =>
        `  ${s.node.padEnd(10)} ${s.ids.length} segments (${s.ids[0]} to ${s.ids.at(-1)}), ` +
        `${s.evidence.kept} mutations kept, ${s.evidence.afterT} after T`,
    ),
    `elasticsearch ${search.version}: ${search.indices.map((i) => `${i.name} (${i.docs} docs)`).join(', ')}`,
    ...(files.mismatched.length > 0 ? [`damaged attachments: ${files.mismatched.join(', ')}`] : []),
  ];
}

function clockSpread(clocks: readonly { offsetUs: number }[]): string {
  const o = clocks.map((c) => c.offsetUs);
  return ((Math.max(...o) - Math.min(...o)) / 1000).toFixed(2);
}
