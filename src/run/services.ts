import { setTimeout as delay } from 'node:timers/promises';
import { forNode } from '../config/load.ts';
import type { ClusterConfig, NodeConfig, ServiceConfig } from '../config/schema.ts';
import { SkepError } from '../errors.ts';
import { asRoot, sudoFailure } from '../remote/become.ts';
import { agentOf, type Agents } from './connections.ts';

export type ServiceName = 'cassandra' | 'elasticsearch' | 'thehive';

const START_TIMEOUT_MS = 600_000;

/** The nodes on which a service runs. */
export function nodesOf(cluster: ClusterConfig, service: ServiceName): NodeConfig[] {
  return cluster.nodes.filter((n) => (service === 'cassandra' ? n.cassandra !== undefined : n[service]));
}

/** Error: `config-invalid` when it is not known where TheHive runs: a restore would go on under its writes. */
export function requireTheHive(cluster: ClusterConfig): void {
  if (nodesOf(cluster, 'thehive').length > 0) return;
  throw new SkepError('config-invalid', 'nodes: none has `thehive: true`, so a restore cannot stop TheHive', {
    hint: 'Mark the nodes that run TheHive with `thehive: true` in skep.yaml.',
    context: { key: 'nodes' },
  });
}

function commandsOf(cluster: ClusterConfig, service: ServiceName): ServiceConfig {
  return cluster[service].service;
}

/** Starts a service on one node by the configured command. May be repeated. Errors: `command-failed`, `sudo-refused`. */
export function startService(c: Target, node: string, service: ServiceName, signal: AbortSignal): Promise<void> {
  return command(c, node, service, 'start', signal);
}

/** Stops a service on one node; resolves when its status command says that it is gone. May be repeated. */
export async function stopService(c: Target, node: string, service: ServiceName, signal: AbortSignal): Promise<void> {
  await command(c, node, service, 'stop', signal);
  const deadline = Date.now() + 120_000;
  while (await isActive(c, node, service, signal)) {
    if (Date.now() > deadline) {
      throw new SkepError('command-failed', `${service} on ${node} still runs 120 s after it was told to stop`, {
        context: { node, service },
      });
    }
    await delay(500, undefined, { signal });
  }
}

export async function isActive(c: Target, node: string, service: ServiceName, signal: AbortSignal): Promise<boolean> {
  const argv = forNode(commandsOf(c.cluster, service).status, node);
  const r = await agentOf(c.agents, node).call('node.run', { argv, timeoutMs: 60_000 }, { signal });
  return r.exitCode === 0;
}

interface Target {
  cluster: ClusterConfig;
  agents: Agents;
}

async function command(
  c: Target,
  node: string,
  service: ServiceName,
  what: 'start' | 'stop',
  signal: AbortSignal,
): Promise<void> {
  const argv = asRoot(c.cluster.agent, forNode(commandsOf(c.cluster, service)[what], node));
  const r = await agentOf(c.agents, node).call('node.run', { argv, timeoutMs: START_TIMEOUT_MS }, { signal });
  if (r.exitCode === 0) return;
  const refused = c.cluster.agent.become === 'sudo' ? sudoFailure(node, 'root', r.stderr) : undefined;
  if (refused) throw refused;
  const last = `${r.stdout}\n${r.stderr}`.trim().split('\n').at(-1) ?? '';
  throw new SkepError('command-failed', `cannot ${what} ${service} on ${node}: ${last || `exit code ${r.exitCode}`}`, {
    hint: `Run \`${argv.join(' ')}\` on ${node} by hand to see why it fails.`,
    context: { node, service, exitCode: r.exitCode },
  });
}
