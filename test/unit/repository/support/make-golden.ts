/**
 * `node make-golden.ts FOLDER`: makes the repositories that are kept under test/fixtures/golden/format-<n>, so that every
 * later skep can be tried on what this one has written. To be run once for each format.
 */
import { execFileSync } from 'node:child_process';
import { hash } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { identityToRecipient } from 'age-encryption';
import {
  fileEntry,
  initRepository,
  type ListingEntry,
  type Manifest,
  type Repository,
} from '../../../../src/repository/index.ts';

/** Names that a careless script stumbles over. */
export const ODD_NAMES = ["it's", '-rf', 'new\nline', 'back\\slash', 'tab\tand  spaces ', '$(false) `x` "q"', 'ü/ß€😀'];

/** Of the sealed one. They guard nothing. */
export const GOLDEN_KEYS = {
  namingKey: 'ab'.repeat(32),
  identity: 'AGE-SECRET-KEY-1GUSR5H7GXDS86A8MZFTHGCV7REQ3ASGQRZGCLKDDDYVMGLLL7SYSUX3D2A',
};

const CLUSTER = { clusterName: 'prod', clusterId: 'c-1' };
const TABLE = '0123456789abcdef0123456789abcdef';

/** The files of one backup, by node, store and path; those of the second differ in one table and one attachment. */
function filesOf(second: boolean): Record<string, Record<string, string>> {
  const attachments = Array.from({ length: second ? 121 : 120 }, (_, i) => `attachment ${i}`);
  const odd = Object.fromEntries(ODD_NAMES.map((name, i) => [`odd/${name}`, `odd content ${i}`]));
  return {
    'n1 cassandra': {
      'commitlog/CommitLog-7-1767225500001.log': 'pinned segment '.repeat(20),
      'replay/CommitLog-7-1767225600002.log': 'filtered segment',
      [`sstables/edgestore-${TABLE}/nb-1-big-Data.db`]: 'rows '.repeat(300),
      [`sstables/edgestore-${TABLE}/nb-1-big-TOC.txt`]: 'Data.db\nTOC.txt\n',
      ...(second ? { [`sstables/edgestore-${TABLE}/nb-2-big-Data.db`]: 'more rows' } : {}),
    },
    'n2 elasticsearch': { 'index-0': '{"snapshots":[]}', 'indices/x/0/__1': 'a blob', empty: '' },
    'n1 files': {
      ...Object.fromEntries(attachments.map((content) => [`attachment/${hash('sha256', content)}`, content])),
      ...odd,
      'twice/a': 'attachment 7',
      'twice/b': 'attachment 7',
      'application.conf': 'db.janusgraph {}\n'.repeat(101),
    },
  };
}

/** Two backups into a repository that is empty. */
export async function fillGolden(repository: Repository): Promise<Manifest[]> {
  const manifests: Manifest[] = [];
  for (const [i, id] of ['20260101T000000Z-0123456789ab', '20260101T010000Z-ba9876543210'].entries()) {
    const parts: Manifest['parts'] = [];
    for (const [place, files] of Object.entries(filesOf(i === 1))) {
      const [node, store] = place.split(' ') as [string, string];
      const writer = repository.objectWriter({ run: id, writer: `${node}-${store}`, compression: 'auto' });
      const entries: ListingEntry[] = [];
      for (const [path, content] of Object.entries(files)) {
        const stored = await writer.putBytes(Buffer.from(content));
        entries.push(fileEntry(path, stored, { mtimeMs: 1767225600000, mode: path.endsWith('.conf') ? 0o600 : 0o640 }));
      }
      if (store === 'files') entries.push({ path: 'link', linkTo: 'application.conf' });
      entries.sort((a, b) => Buffer.compare(Buffer.from(a.path), Buffer.from(b.path)));
      const listing = await repository.writeListing(entries, writer);
      await writer.close();
      parts.push({ node, store, ...listing, newBytes: writer.totals.newBytes });
    }
    const at = `2026-01-01T0${i}:00:00.000Z`;
    const manifest = await repository.publish({
      id,
      startedAt: at,
      finishedAt: at,
      consistency: 'cut',
      cutMicros: `17672${i === 0 ? '256' : '292'}00000001`,
      parts,
      details: {
        topology: { keyspace: 'thehive', tables: [{ id: TABLE, name: 'edgestore' }] },
        schema: { statements: [{ type: 'table', name: 'edgestore', cql: `CREATE TABLE … ID = ${TABLE};` }] },
      },
    });
    manifests.push(manifest);
  }
  return manifests;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const folder = join(process.argv[2] as string, 'format-1');
  mkdirSync(folder, { recursive: true });
  await fillGolden(await initRepository(join(folder, 'plain'), CLUSTER));
  const { namingKey, identity } = GOLDEN_KEYS;
  const access = { location: join(folder, 'sealed'), namingKey, recipients: [await identityToRecipient(identity)] };
  await fillGolden(await initRepository(access, CLUSTER));
  // Git keeps no mode but the execute bit, and no empty folder.
  execFileSync('chmod', ['-R', 'u+w', folder]);
  execFileSync('find', [folder, '-type', 'd', '-empty', '-delete']);
}
