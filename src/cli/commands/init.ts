import type { Command } from 'commander';
import { init } from '../../index.ts';
import { eventRenderer } from '../render/events.ts';
import { clusterOf, onCluster, type ClusterOptions } from '../shared-options.ts';

export function registerInit(program: Command): void {
  onCluster(program.command('init'))
    .description('make the repository that the configuration names')
    .addHelpText('after', '\nExample:\n  skep init --config skep.yaml')
    .action(async (o: ClusterOptions) => {
      const done = await init(await clusterOf(o));
      if (o.json) eventRenderer(true)({ type: 'result', command: 'init', ...done });
      else
        process.stdout.write(
          `${done.sealed ? 'sealed ' : ''}repository ${done.id} ${done.made ? 'made' : 'is there already'} at ${done.location}\n` +
            (done.namingKeyFile ? `naming key written to ${done.namingKeyFile}: no backup is taken without it\n` : ''),
        );
    });
}
