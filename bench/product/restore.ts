import { join } from 'node:path';
import { openRepository, type RepositoryAccess } from '../../src/repository/index.ts';
import { input, openAgent, print } from './agent.ts';

/** Lays out the newest backup below a folder as a restore does: SSTables by table, attachments; checked and durable. */
const { access, to, tables } = input<{
  access: RepositoryAccess;
  to: string;
  tables: { id: string; name: string }[];
}>();

const repository = await openRepository(access);
const newest = (await repository.list())[0];
if (newest?.state !== 'complete') throw new Error('no complete backup');
const agent = openAgent();
let files = 0;
for (const { store, ...listing } of newest.manifest.parts) {
  if (store === 'files') {
    const p = { repository: access, listing, prefix: '', to: join(to, 'files') };
    files += (await agent.call('restore.tree', p)).files;
  } else {
    const folders = tables.map((t) => [t.id, { to: [join(to, 'data', `${t.name}-${t.id}`)], reuse: [] }]);
    const p = { repository: access, listing, tables: Object.fromEntries(folders) };
    files += (await agent.call('restore.sstables', p)).files;
  }
}
await agent.end();
print({ files });
