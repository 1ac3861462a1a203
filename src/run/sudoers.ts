import { userInfo } from 'node:os';
import type { ClusterConfig, NodeConfig } from '../config/schema.ts';
import { forNode } from '../config/load.ts';
import { ownCommand, toDeliver } from '../remote/agent-client.ts';
import { sudoersCommand, sudoersLines } from '../remote/become.ts';

/** The lines of /etc/sudoers.d/skep on each node; none where `agent.become` is not `sudo`. */
export async function sudoers(cluster: ClusterConfig): Promise<{ node: string; lines: string[] }[]> {
  if (cluster.agent.become !== 'sudo') return [];
  return Promise.all(
    cluster.nodes.map(async (node) => {
      const login = (node.transport === 'ssh' ? cluster.ssh.user : undefined) ?? userInfo().username;
      return { node: node.name, lines: sudoersLines(node, cluster, { login, agents: await agentsOn(node, cluster) }) };
    }),
  );
}

/** An agent that was copied is told by its hash: who logs in owns the file, and could put another in its place. */
async function agentsOn(node: NodeConfig, cluster: ClusterConfig): Promise<string[]> {
  const executables = await toDeliver(node, cluster);
  if (!executables) return [sudoersCommand(forNode(cluster.agent.command ?? ownCommand(), node.name))];
  return [...executables.values()].map(
    ({ sha256 }) => `sha256:${sha256} ${sudoersCommand([`${cluster.agent.folder}/skep-${sha256}`, 'agent'])}`,
  );
}
