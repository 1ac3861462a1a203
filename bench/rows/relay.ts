import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { SshServer } from '../../lab/services/ssh-server.ts';
import { sourceCommand } from '../../src/remote/agent-client.ts';
import { newBackupId } from '../../src/repository/index.ts';
import { freeShift } from '../../test/lab/support/free-shift.ts';
import { compare } from '../compare.ts';
import { makeSnapshot } from '../data/node.ts';
import type { RowOptions } from '../options.ts';
import type { Row } from '../row.ts';
import { timedProduct, timedShell, warm } from '../timed.ts';
import { withFolder } from '../work-folder.ts';
import { initRaw } from './product-runs.ts';

const BYTES = 2e9;
const CAT = `ssh -F "$1" n1 "find '$2' -type f -exec cat {} +" | sha256sum`;

/** What a node stores through the controller, over `cat` by ssh into a hash: both over the same sshd of this machine. */
export async function* relayVsSshCat(o: RowOptions): AsyncGenerator<Row> {
  yield await withFolder(async (folder) => {
    const source = join(folder, 'source');
    makeSnapshot(source, BYTES * o.scale);
    const sshd = await SshServer.boot({ root: join(folder, 'ssh'), shift: await freeShift(), owner: process.pid });
    try {
      const location = join(folder, 'repository');
      const config = configOf(sshd, location);
      return await compare({
        bench: 'relay_vs_ssh_cat',
        bar: 1.25,
        turns: o.turns,
        ours: async () => {
          const ran = await timedProduct<{ rss_mb: number; seconds: number }>('relay', {
            config,
            location,
            folder: source,
            run: newBackupId(),
          });
          // The start of the agent is not what is compared.
          return { ...ran, seconds: ran.result.seconds };
        },
        peer: () => timedShell(CAT, [sshd.config, source]),
        between: async () => {
          await rm(location, { recursive: true, force: true });
          await initRaw(folder, 'repository');
          await warm(source);
        },
        more: (runs) => ({
          settings: "from the agent's start on, compression off, unsealed, durable; peer: `ssh n1 cat … | sha256sum`",
          caches: 'warm',
          rss_mb: Math.max(...runs.map((r) => r.result.rss_mb)),
        }),
      });
    } finally {
      await sshd.down();
    }
  });
}

function configOf(sshd: SshServer, location: string): string {
  return stringify({
    version: 1,
    clusters: {
      bench: {
        repository: location,
        agent: { command: sourceCommand() },
        ssh: { config_file: sshd.config },
        nodes: [{ name: 'n1', cassandra: '127.0.0.1' }],
        cassandra: { user: 'nobody', password: { env: 'NONE' } },
        elasticsearch: { urls: ['http://127.0.0.1:9'], staging: { location: '/nowhere/staging', node: 'n1' } },
        files: { location: '/nowhere/files', node: 'n1' },
        index: { reconcile: 'none' },
      },
    },
  });
}
