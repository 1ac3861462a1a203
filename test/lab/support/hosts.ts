// What tests do to three hosts, and how they look at them; inside the namespaces of the lab.
import { readdir, readFile, readlink } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { awaitGreen, withElasticsearch } from '../../../lab/clusters/elastic.ts';
import { runTool } from '../../../lab/ground/run-tool.ts';
import { setLink } from '../../../lab/hosts/hosts.ts';
import type { Lab } from '../../../lab/index.ts';
import { readRun } from '../../../lab/services/spec.ts';

/** Until when an agent must have cleaned up and left whose controller is gone. */
export const GONE_MS = 30_000;

const HEALTHY_MS = 120_000;

/** Pulls the cable of a node for a while. */
export async function pullFor(node: string, ms: number): Promise<void> {
  await setLink(node, 'down');
  await delay(ms);
  await setLink(node, 'up');
}

/** Puts an empty folder over one of a node, as where a shared storage is not mounted; what it gives takes it away. */
export async function hide(lab: Lab, node: string, folder: string): Promise<() => Promise<void>> {
  const host = await readRun(lab.root, `${node}-host`);
  const on = ['nsenter', '--target', String(host?.pid), '--net', '--mount', '--'];
  await runTool([...on, 'mount', '-t', 'tmpfs', '-o', 'mode=755', 'none', folder]);
  return async () => void (await runTool([...on, 'umount', folder]));
}

/** Waits until every node sees all others up, and the index has all its copies. */
export async function untilHealthy(lab: Lab): Promise<void> {
  const up = async (): Promise<boolean> =>
    (await Promise.all(lab.nodes.map((n) => n.nodetool('status')))).every(
      (status) => status.match(/^UN /gm)?.length === lab.nodes.length,
    );
  await until(up, HEALTHY_MS);
  await withElasticsearch(lab.record, (client) => awaitGreen(client, lab.nodes.length, HEALTHY_MS));
}

export async function until(holds: () => Promise<boolean>, limitMs: number): Promise<void> {
  for (const end = Date.now() + limitMs; Date.now() < end && !(await holds().catch(() => false));) await delay(250);
}

/** Seconds from now until no agent runs, on the hosts or on one of them; undefined where one still does after a minute. */
export async function agentsGone(lab: Lab, node?: string): Promise<number | undefined> {
  const since = performance.now();
  const none = async (): Promise<boolean> => (await agentsOn(lab, node)).length === 0;
  await until(none, 2 * GONE_MS);
  const seconds = Math.round((performance.now() - since) / 1000);
  return (await none()) ? seconds : undefined;
}

/** The agents that run on the hosts, or on one of them, by pid. */
export async function agentsOn(lab: Lab, node?: string): Promise<number[]> {
  // Labs beside this one have agents too, and all of them are to be seen from here.
  const names = node === undefined ? lab.nodes.map((n) => n.name) : [node];
  const hosts = await Promise.all(names.map((name) => readRun(lab.root, `${name}-host`)));
  const networks = await Promise.all(hosts.map((host) => networkOf(host?.pid)));
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
  const found: number[] = [];
  for (const pid of pids) {
    const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    if (!/^\/home\/operator\/agents\/skep-\w+\0agent/.test(command)) continue;
    const network = await networkOf(pid);
    if (network !== undefined && networks.includes(network)) found.push(pid);
  }
  return found;
}

async function networkOf(pid: number | undefined): Promise<string | undefined> {
  return pid === undefined ? undefined : readlink(`/proc/${pid}/ns/net`).catch(() => undefined);
}
