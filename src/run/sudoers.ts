import { userInfo } from 'node:os';
import type { ClusterConfig, NodeConfig } from '../config/schema.ts';
import { forNode } from '../config/load.ts';
import { ownCommand, toDeliver } from '../remote/agent-client.ts';
import { sudoersCommand, sudoersLines } from '../remote/become.ts';
import { type Executables, makeFolderArgv } from '../remote/deliver.ts';
import { quoteAll } from '../remote/quote.ts';

/** What root does once on a node for skep. */
export interface SudoersOf {
  node: string;
  /** The lines of /etc/sudoers.d/skep there. */
  lines: string[];
  /** The command that makes the folder of agents that are copied there: who logs in can seldom make it. */
  folder?: string;
}

/** What sudo needs on each node; nothing where `agent.become` is not `sudo`. */
export async function sudoers(cluster: ClusterConfig): Promise<SudoersOf[]> {
  if (cluster.agent.become !== 'sudo') return [];
  return Promise.all(
    cluster.nodes.map(async (node) => {
      const login = (node.transport === 'ssh' ? cluster.ssh.user : undefined) ?? userInfo().username;
      const executables = await toDeliver(node, cluster);
      const lines = sudoersLines(node, cluster, { login, agents: agentsOn(node, cluster, executables) });
      const { folder } = cluster.agent;
      return {
        node: node.name,
        lines,
        ...(executables && folder ? { folder: quoteAll(makeFolderArgv(login, folder)) } : {}),
      };
    }),
  );
}

/** An agent that was copied is told by its hash: who logs in owns the file, and could put another in its place. */
function agentsOn(node: NodeConfig, cluster: ClusterConfig, executables: Executables | undefined): string[] {
  if (!executables) return [sudoersCommand(forNode(cluster.agent.command ?? ownCommand(), node.name))];
  return [...executables.values()].map(
    ({ sha256 }) => `sha256:${sha256} ${sudoersCommand([`${cluster.agent.folder}/skep-${sha256}`, 'agent'])}`,
  );
}
