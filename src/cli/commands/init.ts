import type { Command } from 'commander';
import { init, sudoers } from '../../index.ts';
import { eventRenderer } from '../render/events.ts';
import { clusterOf, onCluster, type ClusterOptions } from '../shared-options.ts';
import { interruptible } from '../signals.ts';

export function registerInit(program: Command): void {
  onCluster(program.command('init'))
    .description('make the repository that the configuration names')
    .option('--sudoers', 'only print the lines that sudo on each node needs (`agent.become: sudo`)')
    .option('--dry-run', 'show the plan and change nothing')
    .addHelpText('after', '\nExamples:\n  skep init --dry-run\n  skep init --config skep.yaml\n  skep init --sudoers')
    .action(async (o: ClusterOptions & { sudoers?: boolean; dryRun?: boolean }) => {
      const cluster = await clusterOf(o);
      const lines = await sudoers(cluster);
      if (o.sudoers) {
        if (o.json) eventRenderer(true)({ type: 'result', command: 'init', sudoers: lines });
        else process.stdout.write(sudoersText(lines));
        return;
      }
      const emit = eventRenderer(o.json === true);
      const done = await interruptible((signal) => init(cluster, { signal, emit, dryRun: o.dryRun === true }));
      if (done === undefined) return;
      if (o.json) {
        const more = lines.length > 0 ? { sudoers: lines } : {};
        emit({ type: 'result', command: 'init', ...done, ...more });
      } else
        process.stdout.write(
          `${done.sealed ? 'sealed ' : ''}repository ${done.id} ${done.made ? 'made' : 'is there already'} at ${done.location}\n` +
            (done.namingKeyFile ? `naming key written to ${done.namingKeyFile}: no backup is taken without it\n` : '') +
            (lines.length > 0 ? sudoersText(lines) : ''),
        );
    });
}

/** As files: what is no line of sudoers is a comment. */
function sudoersText(nodes: Awaited<ReturnType<typeof sudoers>>): string {
  if (nodes.length === 0) return '# nothing: agent.become is not sudo in skep.yaml\n';
  const once = (folder: string | undefined) => (folder === undefined ? '' : `# once, as root: ${folder}\n`);
  return nodes
    .map((n) => `# ${n.node}: /etc/sudoers.d/skep (visudo -cf checks it)\n${once(n.folder)}${n.lines.join('\n')}\n`)
    .join('\n');
}
