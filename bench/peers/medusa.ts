import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ensurePythonPackage } from '../../lab/ground/python-package.ts';
import type { LabNode, LabRecord } from '../../lab/index.ts';
import { timedShell, type Timed } from '../timed.ts';

const VERSION = '0.31.0';

/** The folder of cassandra-medusa; installed when it is not there. */
export function ensureMedusa(): Promise<string> {
  return ensurePythonPackage('cassandra-medusa', VERSION);
}

/** What the peer is, for the row. */
export const MEDUSA = `cassandra-medusa ${VERSION}`;

/** Medusa on one node of a lab, with a local storage in `folder`/medusa. */
export async function medusaOn(
  lab: LabRecord,
  node: LabNode,
  folder: string,
): Promise<{ backUp(name: string): Promise<Timed> }> {
  const installed = await ensureMedusa();
  const home = join(folder, 'medusa-home');
  await mkdir(home, { recursive: true });
  const ini = join(home, 'medusa.ini');
  await writeFile(ini, await settings(lab, node, folder), { mode: 0o600 });
  // Behind Python's own modules, as in an environment of its own: it brings an old one that has the name of one of them.
  const python = `import runpy, sys; at = sys.argv.pop(1); sys.path.append(at); runpy.run_path(at + "/bin/medusa", run_name="__main__")`;
  // Its own storage is not synced: as with `cp`, the backup is there when it is on the disk.
  const line = 'python3 -S -c "$1" "$2" --config-file "$3" backup --backup-name "$4" >/dev/null && sync';
  return { backUp: (name) => timedShell(line, [python, installed, ini, name], { TMPDIR: home }) };
}

async function settings(lab: LabRecord, node: LabNode, folder: string): Promise<string> {
  const { conf, nodetool } = node.record.cassandra;
  const password = (await readFile(lab.cql.passwordFile, 'utf8')).trim();
  return `[cassandra]
config_file = ${join(conf, 'cassandra.yaml')}
cql_username = ${lab.cql.user}
cql_password = ${password}
nodetool_executable = ${nodetool}
nodetool_flags =
nodetool_username = ${lab.jmx.user}
nodetool_password_file_path = ${lab.jmx.passwordFile}
resolve_ip_addresses = False
use_sudo = False

[storage]
storage_provider = local
bucket_name = bench
base_path = ${join(folder, 'medusa')}
prefix =
fqdn = ${node.record.address}
`;
}
