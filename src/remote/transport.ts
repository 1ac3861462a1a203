import { forNode } from '../config/load.ts';
import type { ClusterConfig, NodeConfig } from '../config/schema.ts';
import { SkepError } from '../errors.ts';
import type { SharedConnection } from './shared-connection.ts';
import { sshArgv, sshFailure } from './ssh.ts';

/** How a command is run on a node, with its stdin, stdout and stderr here. */
export interface Transport {
  /** The local argv that runs `command` on the node. `compressed`: much will be sent, and the line may be slow. */
  argv(command: readonly string[], o?: { compressed?: boolean }): [string, ...string[]];
  /** How long it may take until a command runs there, in ms, beyond what it takes to start itself. */
  readonly connectMs: number;
  /** What a failed run says of the way to the node; undefined when the command itself failed. */
  failure(exitCode: number | null, stderr: string): SkepError | undefined;
}

/** The exit code with which ssh tells that it failed itself. */
const SSH_FAILED = 255;

/** `shared`: what all sessions over ssh go through, if anything. */
export function transportTo(
  node: NodeConfig,
  cluster: Pick<ClusterConfig, 'ssh'>,
  shared?: Pick<SharedConnection, 'controlPath' | 'isOpen'>,
): Transport {
  switch (node.transport) {
    case 'ssh':
      return {
        argv: (command, o) => sshArgv(node, cluster.ssh, command, { ...o, controlPath: shared?.controlPath }),
        connectMs: cluster.ssh.connect_timeout,
        failure: (exitCode, stderr) => {
          if (exitCode !== SSH_FAILED) return undefined;
          return sshFailure(node.name, stderr) ?? (shared?.isOpen() === false ? lost(node.name) : undefined);
        },
      };
    case 'command':
      return prefixed(forNode(node.via ?? [], node.name));
    case 'local':
      return prefixed([]);
  }
}

/** A session says nothing when the connection that it goes through ends, nor when its command is killed. */
function lost(node: string): SkepError {
  const message = `the ssh connection to ${node} ended`;
  return new SkepError('node-unreachable', message, { context: { node }, retryable: true });
}

function prefixed(prefix: readonly string[]): Transport {
  return {
    argv: (command) => [...prefix, ...command] as [string, ...string[]],
    connectMs: 0,
    failure: () => undefined,
  };
}
