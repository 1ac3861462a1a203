import { resolve } from 'node:path';
import type { Command } from 'commander';
import { extract } from '../../index.ts';
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

interface ExtractCliOptions extends ClusterOptions, IdentityOption {
  store: string;
  node?: string;
  below?: string;
  to: string;
}

export function registerExtract(program: Command): void {
  onCluster(program.command('extract').argument('<id>', 'a backup: its id, the beginning of it, or `latest`'))
    .description('lay out what a backup holds of one store in a folder here; nothing on the cluster is changed')
    .requiredOption('--store <store>', 'cassandra, elasticsearch, files or config')
    .option('--node <node>', 'only of this node (default: of each, in a folder of its name)')
    .option('--below <path>', 'only this file or folder of it')
    .requiredOption('--to <folder>', 'a folder that is empty, or not there yet')
    .addOption(identityOption())
    .addHelpText(
      'after',
      '\nExamples:\n  skep extract latest --store config --to /root/config-of-last-night' +
        '\n  skep extract latest --store files --node n1 --below attachment/1f0c… --to /tmp/evidence',
    )
    .action(async (id: string, o: ExtractCliOptions) => {
      const cluster = await clusterOf(o);
      const emit = eventRenderer(o.json === true);
      const to = resolve(o.to);
      const { store, node, below } = o;
      const more = { ...(node === undefined ? {} : { node }), ...(below === undefined ? {} : { below }) };
      const done = await interruptible((signal) =>
        extract(cluster, { id, store, to, ...more, keys: keysOf(o), signal, emit }),
      );
      if (o.json) emit({ type: 'result', command: 'extract', to, ...done });
      else process.stdout.write(`${done.files} files, ${size(done.bytes)}, in ${to}\n`);
    });
}
