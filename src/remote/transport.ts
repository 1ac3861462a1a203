import { forNode } from '../config/load.ts';
import type { ClusterConfig, NodeConfig } from '../config/schema.ts';
import type { SkepError } from '../errors.ts';
import { sshArgv, sshFailure } from './ssh.ts';

/** How a command is run on a node, with its stdin, stdout and stderr here. */
export interface Transport {
  /** The local argv that runs `command` on the node. `compressed`: much will be sent, and the line may be slow. */
  argv(command: readonly string[], o?: { compressed?: boolean }): [string, ...string[]];
  /** What a failed run says of the way to the node; undefined when the command itself failed. */
  failure(exitCode: number | null, stderr: string): SkepError | undefined;
}

/** The exit code with which ssh tells that it failed itself. */
const SSH_FAILED = 255;

export function transportTo(node: NodeConfig, cluster: Pick<ClusterConfig, 'ssh'>): Transport {
  switch (node.transport) {
    case 'ssh':
      return {
        argv: (command, o) => sshArgv(node, cluster.ssh, command, o),
        failure: (exitCode, stderr) => (exitCode === SSH_FAILED ? sshFailure(node.name, stderr) : undefined),
      };
    case 'command':
      return prefixed(forNode(node.via ?? [], node.name));
    case 'local':
      return prefixed([]);
  }
}

function prefixed(prefix: readonly string[]): Transport {
  return {
    argv: (command) => [...prefix, ...command] as [string, ...string[]],
    failure: () => undefined,
  };
}
