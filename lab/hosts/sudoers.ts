import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { loadCluster, sudoers } from '../../src/index.ts';
import type { LabRecord } from '../clusters/record.ts';
import type { Hosts } from './hosts.ts';

/** Gives every host the lines of sudoers that `skep init --sudoers` prints, and no others but root's own. */
export async function writeSudoers(hosts: Hosts, record: LabRecord): Promise<void> {
  const cluster = await loadCluster({ file: record.config });
  for (const { node, lines } of await sudoers(cluster)) {
    const file = path.join(record.root, 'hosts', `sudoers-${node}`);
    await writeFile(file, `${['root ALL=(ALL:ALL) ALL', ...lines].join('\n')}\n`, { mode: 0o440 });
    await hosts.replace(node, file, '/etc/sudoers');
  }
}
