import { type Command, Option } from 'commander';
import { type ClusterConfig, loadCluster, type ReadKeys } from '../index.ts';

/** Options that every command on a cluster has. */
export interface ClusterOptions {
  config?: string;
  cluster?: string;
  json?: boolean;
}

export function onCluster(command: Command): Command {
  return command
    .option('-c, --config <file>', 'the configuration (default: $SKEP_CONFIG, ./skep.yaml, ~/.config/skep, /etc/skep)')
    .option('--cluster <name>', 'which cluster of the configuration (default: the only one)')
    .option('--json', 'events as JSON on stdout, one a line');
}

export function clusterOf(o: ClusterOptions): Promise<ClusterConfig> {
  return loadCluster({ ...(o.config ? { file: o.config } : {}), ...(o.cluster ? { cluster: o.cluster } : {}) });
}

/** Of commands that read contents of a sealed repository. */
export interface IdentityOption {
  identity?: string;
}

export function identityOption(): Option {
  return new Option(
    '--identity <file>',
    'age identities that open a sealed repository (default: those of the configuration)',
  );
}

export function keysOf(o: IdentityOption): ReadKeys {
  return o.identity === undefined ? {} : { identityFile: o.identity };
}
