import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { execa } from 'execa';
import type { NodeConfig } from '../config/schema.ts';
import { SkepError } from '../errors.ts';
import type { Method, Params, Progress, Results } from '../protocol/methods.ts';
import { Peer } from '../protocol/peer.ts';
import type { RelayServer } from '../repository/index.ts';
import { VERSION } from '../version.ts';
import { sudoFailure } from './become.ts';
import { folderFailure, wantedFor } from './deliver.ts';
import { Relayed } from './relayed.ts';
import type { Transport } from './transport.ts';

/** A running agent on one node: a process there. */
export interface AgentProcess {
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

/** The node has not the agent that is to be started, or not whole. */
export class AgentWanted extends SkepError {
  readonly arch: string;

  constructor(node: string, arch: string) {
    super('agent-failed', `the agent of skep ${VERSION} does not run on ${node} though it was just copied there`, {
      context: { node },
    });
    this.arch = arch;
  }
}

/** How an agent is to be started. */
export interface Start {
  node: NodeConfig;
  transport: Transport;
  command: readonly string[];
  /** Whom sudo is to hand over to. */
  user?: string | undefined;
  signal?: AbortSignal | undefined;
  /** Opens the repository for the agent of a node that does not reach it, when it first asks; throws for other nodes. */
  relay?: ((node: string) => Promise<RelayServer>) | undefined;
}

/**
 * Starts an agent and waits for its greeting.
 * Errors: `ssh-credentials`, `sudo-refused`, `node-unreachable`, `agent-failed` (an `AgentWanted` when it is not there), `no-space`,
 * `protocol-error`.
 */
export async function startAgent({ node, transport, command, user, signal, relay }: Start): Promise<AgentProcess> {
  const [file, ...args] = transport.argv(command);
  const child = execa(file, args, {
    stdin: 'pipe',
    stdout: 'pipe',
    stderr: 'pipe',
    buffer: false,
    reject: false,
    // A terminal's Ctrl-C is for skep alone: its agents are needed to clean up.
    detached: true,
  });
  let stderr = '';
  child.stderr.on('data', (b: Buffer) => (stderr = (stderr + b.toString('utf8')).slice(-8192)));
  const relayed = relay && new Relayed(() => relay(node.name));
  const peer = new Peer({
    input: child.stdout,
    output: child.stdin,
    version: VERSION,
    greetingMs: transport.connectMs,
    handlers: relayed ? { relay: relayed.handler } : {},
  });
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
  signal?.addEventListener('abort', onAbort, { once: true });
  if (signal?.aborted) onAbort();
  try {
    await peer.ready;
  } catch (e) {
    // Its exit code says why, if it has ended by itself.
    if ((e as SkepError).code === 'node-unreachable')
      await Promise.race([ended, delay(EXIT_MS, undefined, { ref: false })]);
    const silent = !gone() && (e as SkepError).code === 'node-unreachable';
    child.kill();
    await ended;
    letGo();
    if (silent) throw silence(node.name, stderr, e as SkepError);
    throw explain({ node, transport, user, exitCode: child.exitCode, stderr }, e);
  } finally {
    signal?.removeEventListener('abort', onAbort);
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
          // Not by sudo any more: that let it in.
          if (gone()) throw explain({ node, transport, exitCode: child.exitCode, stderr }, e);
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
      await peer.closed;
      await relayed?.end();
      letGo();
    },
  };
}

/** Neither an agent nor an end: the last words may tell what keeps it. */
function silence(node: string, stderr: string, cause: SkepError): SkepError {
  const words = [cause.message, stderr.trim().split('\n').at(-1)].filter(Boolean).join('; ');
  return new SkepError('node-unreachable', `no agent answers on ${node}: ${words}`, {
    context: { node },
    retryable: true,
    cause,
  });
}

interface Ended extends Pick<Start, 'node' | 'transport' | 'user'> {
  exitCode: number | null;
  stderr: string;
}

function explain({ node, transport, user, exitCode, stderr }: Ended, cause: unknown): SkepError {
  if (cause instanceof SkepError && (cause.code === 'protocol-error' || cause.code === 'cancelled')) return cause;
  const arch = wantedFor(exitCode, stderr);
  if (arch !== undefined) return new AgentWanted(node.name, arch);
  const onTheWay =
    transport.failure(exitCode, stderr) ??
    folderFailure(node.name, exitCode, stderr) ??
    (user === undefined ? undefined : sudoFailure(node.name, user, stderr));
  if (onTheWay) return onTheWay;
  const why = stderr.trim().split('\n').at(-1) || (cause as Error).message;
  return new SkepError('agent-failed', `the agent on ${node.name} ended: ${why}`, {
    context: { node: node.name, ...(exitCode === null ? {} : { exitCode }) },
    cause,
  });
}
