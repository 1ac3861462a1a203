import { execa } from 'execa';
import { forNode } from '../config/load.ts';
import type { ClusterConfig, NodeConfig } from '../config/schema.ts';
import { SkepError } from '../errors.ts';
import type { Method, Params, Progress, Results } from '../protocol/methods.ts';
import { Peer } from '../protocol/peer.ts';
import { VERSION } from '../version.ts';
import { sshArgv, sshFailure } from './ssh.ts';

/** A running agent on one node. */
export interface Agent {
  readonly node: NodeConfig;
  call<M extends Method>(
    method: M,
    params: Params<M>,
    opts?: { signal?: AbortSignal; onProgress?: (p: Progress) => void },
  ): Promise<Results[M]>;
  /** Ends the agent, which cleans up what it still holds; resolves when its process is gone. */
  close(): Promise<void>;
}

/** How an agent is started when the configuration does not say: this skep's own source under this Node. */
export function defaultAgentCommand(): string[] {
  return [process.execPath, new URL('../agent/main.ts', import.meta.url).pathname];
}

/**
 * Starts the agent of a node and waits for its greeting.
 * Errors: `ssh-credentials`, `node-unreachable`, `agent-failed`, `protocol-error`.
 */
export async function openAgent(
  node: NodeConfig,
  cluster: ClusterConfig,
  opts: { signal?: AbortSignal } = {},
): Promise<Agent> {
  const command = forNode(cluster.agent.command ?? defaultAgentCommand(), node.name);
  const [file, ...args] = (node.transport === 'ssh' ? sshArgv(node, cluster.ssh, command) : command) as [
    string,
    ...string[],
  ];
  const child = execa(file, args, { stdin: 'pipe', stdout: 'pipe', stderr: 'pipe', buffer: false, reject: false });
  let stderr = '';
  child.stderr.on('data', (b: Buffer) => (stderr = (stderr + b.toString('utf8')).slice(-8192)));
  const peer = new Peer({ input: child.stdout, output: child.stdin, version: VERSION });
  const ended = child.then((r) => r.exitCode);

  const onAbort = () => peer.close(new SkepError('cancelled', 'cancelled while connecting'));
  opts.signal?.addEventListener('abort', onAbort, { once: true });
  try {
    await peer.ready;
  } catch (e) {
    child.kill();
    const code = await ended;
    throw explain(node, code, stderr, e);
  } finally {
    opts.signal?.removeEventListener('abort', onAbort);
  }

  return {
    node,
    async call(method, params, o = {}) {
      const onProgress = o.onProgress;
      try {
        return (await peer.call(method, params, {
          ...(o.signal ? { signal: o.signal } : {}),
          ...(onProgress ? { onEvent: (e) => onProgress(e as Progress) } : {}),
        })) as Results[typeof method];
      } catch (e) {
        if (e instanceof SkepError) e.context.node ??= node.name;
        if (e instanceof SkepError && e.code === 'node-unreachable') {
          throw explain(node, child.exitCode ?? undefined, stderr, e);
        }
        throw e;
      }
    },
    async close() {
      peer.close();
      child.stdin.end();
      const killer = setTimeout(() => child.kill(), 20_000);
      await ended;
      clearTimeout(killer);
    },
  };
}

function explain(node: NodeConfig, exitCode: number | undefined, stderr: string, cause: unknown): SkepError {
  if (cause instanceof SkepError && (cause.code === 'protocol-error' || cause.code === 'cancelled')) return cause;
  const ssh = node.transport === 'ssh' && exitCode === 255 ? sshFailure(node.name, stderr) : undefined;
  if (ssh) return ssh;
  const last = stderr.trim().split('\n').at(-1);
  return new SkepError('agent-failed', `the agent on ${node.name} ended${last ? `: ${last}` : ''}`, {
    context: { node: node.name, ...(exitCode === undefined ? {} : { exitCode }) },
    cause,
  });
}
