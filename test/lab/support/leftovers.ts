import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { openRepository } from '../../../src/index.ts';
import { snapshotTags } from '../../../src/drivers/cassandra/snapshot-files.ts';
import type { Lab } from '../../../lab/index.ts';
import { findByEnvironment } from '../../../lab/services/process-identity.ts';
import { LAB_ID } from '../../../lab/services/spec.ts';

/** What a run has left on the nodes and in the repository that it should not have; empty when all is well. */
export async function leftovers(lab: Lab): Promise<string[]> {
  const found: string[] = [];
  for (const node of lab.nodes) {
    const { data, commitlog } = node.record.cassandra;
    for (const tag of await snapshotTags([data], lab.record.thehive.keyspace, 'skep-2')) {
      found.push(`snapshot ${tag} on ${node.name}`);
    }
    const pins = path.join(path.dirname(commitlog), 'skep-pins');
    for (const run of existsSync(pins) ? await readdir(pins) : []) found.push(`pins ${run} on ${node.name}`);
  }
  const attachments = path.join(lab.record.files.location, '.skep-pins');
  for (const run of existsSync(attachments) ? await readdir(attachments) : []) found.push(`attachment pins ${run}`);
  const repository = await openRepository(lab.record.repository);
  for (const lease of await repository.leases()) found.push(`lease ${lease.kind} of ${lease.owner.run}`);
  const incoming = path.join(lab.record.repository, 'incoming');
  for (const run of existsSync(incoming) ? await readdir(incoming) : []) {
    // `put` is where single keys are staged by everybody
    if (run !== 'put' || (await readdir(path.join(incoming, run))).length > 0) found.push(`incoming ${run}`);
  }
  return found;
}

/** The agents that run on the nodes of a lab, or on one of them, by pid: started through its ssh, they carry its mark. */
export async function agentsOf(lab: Lab, node?: string): Promise<number[]> {
  const marked = await findByEnvironment(LAB_ID, lab.record.id);
  const address = node === undefined ? undefined : lab.node(node).record.address;
  const agents: number[] = [];
  for (const { pid } of marked) {
    const [argv, environment] = await Promise.all(
      ['cmdline', 'environ'].map((file) => readFile(`/proc/${pid}/${file}`, 'utf8').catch(() => '')),
    );
    if (!argv?.includes('src/agent/main.ts')) continue;
    // In SSH_CONNECTION there is the address of both ends.
    if (address === undefined || environment?.includes(` ${address} `)) agents.push(pid);
  }
  return agents;
}
