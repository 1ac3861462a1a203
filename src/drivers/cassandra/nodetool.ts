import { forNode } from '../../config/load.ts';
import type { ClusterConfig } from '../../config/schema.ts';
import { SkepError } from '../../errors.ts';
import type { AgentProcess } from '../../remote/agent-process.ts';

/** The argv of a nodetool call on a node; the JMX password stays in its file. */
export function nodetoolArgv(cluster: ClusterConfig, node: string, args: readonly string[]): string[] {
  const { nodetool, jmx } = cluster.cassandra;
  return [
    ...forNode(nodetool, node),
    ...(jmx ? ['-u', jmx.user, '-pwf', forNode([jmx.password_file], node)[0] as string] : []),
    ...args,
  ];
}

export const snapshotArgs = (tag: string, keyspace: string, ttlMs: number | undefined): string[] => [
  'snapshot',
  '-t',
  tag,
  ...(ttlMs === undefined ? [] : ['--ttl', `${Math.ceil(ttlMs / 60_000)}m`]),
  '--',
  keyspace,
];

export const clearSnapshotArgs = (tag: string, keyspace: string): string[] => [
  'clearsnapshot',
  '-t',
  tag,
  '--',
  keyspace,
];

/**
 * Runs nodetool on a node and gives its output. nodetool prints errors with exit code 1 or 2.
 * Errors: `jmx-credentials`, `no-space`, `command-failed` with what it printed last.
 */
export async function nodetool(
  agent: AgentProcess,
  cluster: ClusterConfig,
  args: readonly string[],
  opts: { timeoutMs?: number; signal?: AbortSignal; toEnd?: boolean } = {},
): Promise<string> {
  const r = await agent.call(
    'node.run',
    {
      argv: nodetoolArgv(cluster, agent.node.name, args),
      timeoutMs: opts.timeoutMs ?? 120_000,
      ...(opts.toEnd ? { toEnd: true } : {}),
    },
    opts.signal ? { signal: opts.signal } : {},
  );
  if (r.exitCode === 0) return r.stdout;
  throw nodetoolError(agent.node.name, args, r.exitCode, `${r.stdout}\n${r.stderr}`);
}

/** What Java says where one side speaks TLS and the other does not, or where one does not trust the other. */
const TLS_WORDS = /\bSSL|CertPath|KeyManagementException|trustAnchors|fatal alert|non-JRMP server/;

/** What a nodetool that ended with an exit code other than 0 has said: `jmx-credentials`, `no-space` or `command-failed`. */
export function nodetoolError(node: string, args: readonly string[], exitCode: number, output: string): SkepError {
  const text = output.trim();
  const context = { node, exitCode };
  if (/SecurityException|Authentication failed|Credentials required|Invalid username or password/i.test(text)) {
    return new SkepError('jmx-credentials', `JMX of ${node} refused the user or password`, { context });
  }
  const lines = text.split('\n').filter((l) => l.trim() !== '');
  // The reason stands in front of a stack trace.
  const reason = lines.map((l) => /^(?:error|nodetool): (.+)/.exec(l)?.[1]).findLast((l) => l !== undefined);
  const why = reason ?? lines.at(-1) ?? 'no output';
  if (TLS_WORDS.test(why)) {
    return new SkepError('jmx-credentials', `JMX of ${node} and nodetool do not agree on TLS: ${why}`, {
      hint: 'Where JMX is over TLS `cassandra.nodetool` in skep.yaml needs `--ssl`, and nodetool-ssl.properties the right trust store.',
      context,
    });
  }
  if (/No space left on device|Disk quota exceeded/.test(text)) {
    return new SkepError('no-space', `no space on ${node} for nodetool ${args[0]}: ${why}`, { context });
  }
  return new SkepError('command-failed', `nodetool ${args[0]} failed on ${node}: ${why}`, { context });
}
