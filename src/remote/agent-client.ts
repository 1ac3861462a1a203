import { once } from 'node:events';
import { isSea } from 'node:sea';
import { setTimeout as delay } from 'node:timers/promises';
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

/** How long an agent may clean up until it is told to end, and until it is killed: a stuck disk must not stop the run. */
const END_MS = 20_000;
const KILL_MS = 120_000;

/** How long a process may take to exit when its output has ended, and its last words to come when it has exited. */
const EXIT_MS = 2_000;
const LAST_WORDS_MS = 500;

/** How an agent is started when the configuration does not say: this executable, or skep's own source under this Node. */
export function defaultAgentCommand(): string[] {
  if (isSea()) return [process.execPath, 'agent'];
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
  const said = once(child.stderr, 'end').catch(() => {});
  // Its exit, not the end of its output: an ssh master that stays in the background (ControlPersist) keeps that open.
  const ended = once(child, 'exit').then(
    async () => {
      await Promise.race([said, delay(LAST_WORDS_MS)]);
      peer.close(new SkepError('node-unreachable', 'the agent ended'));
    },
    (e: NodeJS.ErrnoException) => {
      stderr += `cannot run ${file}: ${e.code ?? e.message}`;
    },
  );
  const letGo = () => {
    child.stdout.destroy();
    child.stderr.destroy();
  };
  const gone = () => child.exitCode !== null || child.signalCode !== null;

  const onAbort = () => peer.close(new SkepError('cancelled', 'cancelled while connecting'));
  opts.signal?.addEventListener('abort', onAbort, { once: true });
  if (opts.signal?.aborted) onAbort();
  try {
    await peer.ready;
  } catch (e) {
    child.kill();
    await ended;
    letGo();
    throw explain(node, child.exitCode, stderr, e);
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
        // The process has ended or is about to, unless it has only fallen silent.
        if (e instanceof SkepError && e.code === 'node-unreachable') {
          await Promise.race([ended, delay(EXIT_MS, undefined, { ref: false })]);
          if (gone()) throw explain(node, child.exitCode, stderr, e);
        }
        throw e;
      }
    },
    async close() {
      peer.close();
      child.stdin.end();
      const killers = [setTimeout(() => child.kill(), END_MS), setTimeout(() => child.kill('SIGKILL'), KILL_MS)];
      await ended;
      for (const k of killers) clearTimeout(k);
      letGo();
    },
  };
}

function explain(node: NodeConfig, exitCode: number | null, stderr: string, cause: unknown): SkepError {
  if (cause instanceof SkepError && (cause.code === 'protocol-error' || cause.code === 'cancelled')) return cause;
  const ssh = node.transport === 'ssh' && exitCode === 255 ? sshFailure(node.name, stderr) : undefined;
  if (ssh) return ssh;
  const why = stderr.trim().split('\n').at(-1) || (cause as Error).message;
  return new SkepError('agent-failed', `the agent on ${node.name} ended: ${why}`, {
    context: { node: node.name, ...(exitCode === null ? {} : { exitCode }) },
    cause,
  });
}
