import { chmod, mkdir } from 'node:fs/promises';
import path from 'node:path';
import type { Certificates } from '../clusters/certificates.ts';
import { runTool } from '../ground/run-tool.ts';
import type { LabLayout } from '../layout.ts';
import { type Account, ACCOUNTS, SHARED_GROUP } from './accounts.ts';

/** Gives what the lab has written to whom it belongs on a machine where every store has a user of its own. */
export async function giveToAccounts(
  layout: LabLayout,
  { repository, certificates }: { repository: string; certificates: Certificates },
): Promise<void> {
  const secret = (name: string): string => path.join(layout.secrets, name);
  const state = path.join(layout.root, 'skep-state');
  const ledger = path.join(layout.root, 'ledger');
  for (const folder of [state, ledger, repository]) await mkdir(folder, { recursive: true });
  const theirs: Record<Account, string[]> = {
    operator: [layout.ssh, layout.config, state, secret('cql'), secret('elasticsearch'), certificates.key],
    cassandra: [...layout.nodes.map((n) => path.join(n.root, 'cassandra')), secret('jmx'), secret('jmx.access')],
    elasticsearch: [...layout.nodes.map((n) => path.join(n.root, 'elasticsearch')), layout.staging],
    thehive: [...layout.nodes.slice(0, 1).map((n) => path.join(n.root, 'thehive')), layout.files, ledger],
  };
  for (const [account, places] of Object.entries(theirs) as [Account, string[]][]) {
    const id = ACCOUNTS[account];
    await runTool(['chown', '--recursive', `${id}:${id}`, ...places]);
  }
  // names can be reached, contents cannot
  for (const folder of [layout.secrets, layout.certificates]) await chmod(folder, 0o711);
  for (const file of [certificates.caFile, certificates.trustStore, certificates.certificate]) await chmod(file, 0o644);
  for (const node of layout.nodes) await chmod(path.join(node.root, 'ssh'), 0o755);
  for (const node of layout.nodes) await chmod(path.join(node.root, 'ssh', 'authorized_keys'), 0o644);
  await runTool(['chown', `${ACCOUNTS.operator}:${SHARED_GROUP.gid}`, repository]);
  await chmod(repository, 0o2770);
}
