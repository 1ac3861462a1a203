/**
 * `node make-golden.ts FOLDER NAME…`: makes the repositories that are kept under test/fixtures/golden/format-<n>, so that every
 * later skep can be tried on what this one has written. To be run once for each: `plain` and `sealed` are of the first
 * version of format 1, `later` has what has come to it since.
 */
import { execFileSync } from 'node:child_process';
import { hash } from 'node:crypto';
import { chmodSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { identityToRecipient } from 'age-encryption';
import {
  fileEntry,
  initRepository,
  type ListingEntry,
  type Manifest,
  openRepository,
  type Repository,
} from '../../../../src/repository/index.ts';
import { objectKey } from '../../../../src/repository/format/names.ts';
import { collect } from './repository.ts';

/** Names that a careless script stumbles over. */
export const ODD_NAMES = ["it's", '-rf', 'new\nline', 'back\\slash', 'tab\tand  spaces ', '$(false) `x` "q"', 'ü/ß€😀'];

/** Of the sealed ones. They guard nothing. `later` was rotated from `identity` to `secondIdentity`. */
export const GOLDEN_KEYS = {
  namingKey: 'ab'.repeat(32),
  identity: 'AGE-SECRET-KEY-1GUSR5H7GXDS86A8MZFTHGCV7REQ3ASGQRZGCLKDDDYVMGLLL7SYSUX3D2A',
  secondIdentity: 'AGE-SECRET-KEY-1ZFKPL7DH5H2864DCPSCCYWJSJQM6P75Y5D5N244MX8M87EMMEZ8Q7N0PEJ',
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

interface GoldenBackup {
  id: string;
  /** Of 2026-01-01. */
  hour: number;
  /** By node and store, and by path. */
  files: Record<string, Record<string, string>>;
}

async function backUpGolden(repository: Repository, { id, hour, files }: GoldenBackup): Promise<Manifest> {
  const parts: Manifest['parts'] = [];
  for (const [place, contents] of Object.entries(files)) {
    const [node, store] = place.split(' ') as [string, string];
    const writer = repository.objectWriter({ run: id, writer: `${node}-${store}`, compression: 'auto' });
    const entries: ListingEntry[] = [];
    for (const [path, content] of Object.entries(contents)) {
      const stored = await writer.putBytes(Buffer.from(content));
      entries.push(fileEntry(path, stored, { mtimeMs: 1767225600000, mode: path.endsWith('.conf') ? 0o600 : 0o640 }));
    }
    if (store === 'files') entries.push({ path: 'link', linkTo: 'application.conf' });
    entries.sort((a, b) => Buffer.compare(Buffer.from(a.path), Buffer.from(b.path)));
    const listing = await repository.writeListing(entries, writer);
    await writer.close();
    parts.push({ node, store, ...listing, newBytes: writer.totals.newBytes });
  }
  const at = `2026-01-01T0${hour}:00:00.000Z`;
  return repository.publish({
    id,
    startedAt: at,
    finishedAt: at,
    consistency: 'cut',
    cutMicros: `${1767225600 + hour * 3600}000001`,
    parts,
    details: {
      topology: { keyspace: 'thehive', tables: [{ id: TABLE, name: 'edgestore' }] },
      schema: { statements: [{ type: 'table', name: 'edgestore', cql: `CREATE TABLE … ID = ${TABLE};` }] },
    },
  });
}

/** Two backups into a repository that is empty. */
export async function fillGolden(repository: Repository): Promise<Manifest[]> {
  const manifests: Manifest[] = [];
  for (const [hour, id] of ['20260101T000000Z-0123456789ab', '20260101T010000Z-ba9876543210'].entries()) {
    manifests.push(await backUpGolden(repository, { id, hour, files: filesOf(hour === 1) }));
  }
  return manifests;
}

/** What `later` holds, oldest first. The first backup was copied there, the second is of after the rotation. */
export const LATER: readonly GoldenBackup[] = [
  '20260101T000000Z-0123456789ab',
  '20260101T010000Z-ba9876543210',
  '20260101T020000Z-00112233aabb',
].map((id, hour) => ({
  id,
  hour,
  files: {
    'n1 cassandra': { [`sstables/edgestore-${TABLE}/nb-1-big-Data.db`]: 'rows '.repeat(300) },
    'n1 files': {
      // Damaged after the second backup: the third stores it anew, in other bytes.
      'attachment/damaged': 'damaged once '.repeat(100),
      [`attachment/${hour}`]: `only of backup ${hour}`,
      'application.conf': 'db.janusgraph {}\n'.repeat(101),
    },
  },
}));

async function makeLater(location: string): Promise<void> {
  const { namingKey, identity, secondIdentity } = GOLDEN_KEYS;
  const old = { namingKey, recipients: [await identityToRecipient(identity)] };
  const access = {
    location,
    namingKey,
    recipients: [await identityToRecipient(secondIdentity)],
    identities: [identity, secondIdentity],
  };
  const [copied, second, third] = LATER as [GoldenBackup, GoldenBackup, GoldenBackup];
  const source = await initRepository({ ...old, location: `${location}-source` }, CLUSTER);
  await backUpGolden(source, copied);
  const target = await initRepository({ ...old, location }, CLUSTER);
  await target.makeBallast(1000);
  await target.copyFrom(source, { owner: { run: 'golden', host: 'h', pid: 1 } });
  rmSync(`${location}-source`, { recursive: true });
  await (await openRepository(access)).rotateKeys();
  const rotated = await openRepository(access);
  const { parts } = await backUpGolden(rotated, second);
  const listing = await collect(rotated.readListing(parts.find((p) => p.store === 'files')!));
  const { object } = listing.find((e) => e.path === 'attachment/damaged')!;
  const path = join(location, objectKey(object as string, 'zstd+age'));
  const bytes = readFileSync(path);
  bytes[bytes.length - 1]! ^= 1;
  chmodSync(path, 0o640);
  writeFileSync(path, bytes);
  await rotated.verify({ level: 'data' });
  await backUpGolden(await openRepository(access), third);
}

const MAKERS: Record<string, (location: string) => Promise<unknown>> = {
  plain: async (location) => fillGolden(await initRepository(location, CLUSTER)),
  sealed: async (location) => {
    const { namingKey, identity } = GOLDEN_KEYS;
    const recipients = [await identityToRecipient(identity)];
    return fillGolden(await initRepository({ location, namingKey, recipients }, CLUSTER));
  },
  later: makeLater,
};

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [into, ...names] = process.argv.slice(2) as [string, ...string[]];
  const folder = join(into, 'format-1');
  mkdirSync(folder, { recursive: true });
  for (const name of names) {
    await MAKERS[name]!(join(folder, name));
    // Git keeps no mode but the execute bit, and no empty folder.
    execFileSync('chmod', ['-R', 'u+w', join(folder, name)]);
    execFileSync('find', [join(folder, name), '-type', 'd', '-empty', '-delete']);
  }
}
