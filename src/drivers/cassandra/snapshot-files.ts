import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { SkepError } from '../../errors.ts';

export interface TableRef {
  /** 32 hexadecimal digits, as in the names of folders. */
  id: string;
  name: string;
}

export interface SnapshotFile {
  /** `<table>-<id>/<component>`; a secondary index has a folder of its own in between. */
  path: string;
  absolute: string;
  size: number;
  mtimeMs: number;
}

/** A table's folder name; `id` with or without dashes. */
export function tableFolder(table: TableRef): string {
  return `${table.name}-${table.id.replaceAll('-', '')}`;
}

/**
 * The files of one snapshot on this node over all data directories, sorted by path. Folders are found by table id: a
 * table that was dropped and made again has left a folder of the same name. Fails (`snapshot-failed`) when a table has
 * no snapshot folder at all, or when an SSTable lacks a component that its TOC names, or, without a TOC, that Cassandra
 * cannot do without.
 */
export async function snapshotFiles(
  dataDirs: readonly string[],
  keyspace: string,
  tag: string,
  tables: readonly TableRef[],
): Promise<SnapshotFile[]> {
  const files: SnapshotFile[] = [];
  const missing: string[] = [];
  for (const table of tables) {
    let seen = false;
    for (const dir of dataDirs) {
      const folder = join(dir, keyspace, tableFolder(table), 'snapshots', tag);
      const found = await walk(folder, tableFolder(table));
      if (!found) continue;
      seen = true;
      await checkComponents(found);
      files.push(...found);
    }
    if (!seen) missing.push(table.name);
  }
  if (missing.length > 0) {
    throw new SkepError('snapshot-failed', `no snapshot of ${missing.join(', ')}`, { context: { tag, missing } });
  }
  return files.sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
}

/** Snapshots' own files, which are not part of an SSTable. */
const NOT_DATA = new Set(['manifest.json', 'schema.cql']);

async function walk(folder: string, prefix: string): Promise<SnapshotFile[] | undefined> {
  let entries;
  try {
    entries = await readdir(folder, { withFileTypes: true });
  } catch (e) {
    if ((e as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw e;
  }
  const files: SnapshotFile[] = [];
  for (const e of entries) {
    const absolute = join(folder, e.name);
    const path = `${prefix}/${e.name}`;
    if (e.isDirectory()) files.push(...((await walk(absolute, path)) ?? []));
    else if (!NOT_DATA.has(e.name)) {
      const s = await stat(absolute).catch((cause) => {
        throw new SkepError('snapshot-failed', `${path} of the snapshot is gone`, { context: { file: path }, cause });
      });
      files.push({ path, absolute, size: s.size, mtimeMs: s.mtimeMs });
    }
  }
  return files;
}

/** What is in front of a component's name: version, id and format of its SSTable. */
const COMPONENT = /^(.*\/[a-z]+-[^-/]+-(big|bti)-)([^/]+)$/;

/** Of an SSTable of another format. */
const UNKNOWN = /^(.*-)(?:Data\.db|TOC\.txt)$/;

/**
 * What an SSTable cannot be read without, by its format; of each group one. `CompressionInfo.db` or `CRC.db`: compressed or
 * not. The filter and the summary are made again.
 */
const NEEDED: Readonly<Record<string, readonly (readonly string[])[]>> = {
  big: [['Data.db'], ['Statistics.db'], ['CompressionInfo.db', 'CRC.db'], ['Index.db']],
  bti: [['Data.db'], ['Statistics.db'], ['CompressionInfo.db', 'CRC.db'], ['Partitions.db'], ['Rows.db']],
};

async function checkComponents(files: readonly SnapshotFile[]): Promise<void> {
  const there = new Map(files.map((f) => [f.path, f]));
  const seen = new Set<string>();
  for (const f of files) {
    const [, prefix, format = ''] = COMPONENT.exec(f.path) ?? UNKNOWN.exec(f.path) ?? [];
    if (prefix === undefined || seen.has(prefix)) continue;
    seen.add(prefix);
    const toc = there.get(`${prefix}TOC.txt`);
    if (toc) await checkToc(toc, prefix, there);
    else checkWithoutToc(prefix, NEEDED[format], there);
  }
}

async function checkToc(toc: SnapshotFile, prefix: string, there: ReadonlyMap<string, SnapshotFile>): Promise<void> {
  for (const component of (await readFile(toc.absolute, 'utf8')).split('\n')) {
    const name = `${prefix}${component.trim()}`;
    if (component.trim() !== '' && !there.has(name)) throw lacks(name, 'which its TOC names');
  }
}

/** An SSTable that was streamed as a whole (repair, bootstrap, decommission) has none until it is compacted. */
function checkWithoutToc(
  prefix: string,
  needed: (typeof NEEDED)[string] | undefined,
  there: ReadonlyMap<string, SnapshotFile>,
): void {
  if (!needed) throw lacks(`${prefix}TOC.txt`, 'and its format is not known');
  for (const group of needed) {
    if (group.some((name) => there.has(`${prefix}${name}`))) continue;
    throw lacks(`${prefix}${group[0]}`, 'which it cannot be read without');
  }
}

function lacks(name: string, why: string): SkepError {
  return new SkepError('snapshot-failed', `the snapshot lacks ${name}, ${why}`, { context: { file: name } });
}

/** Tags of snapshots of this keyspace that begin with `prefix`. */
export async function snapshotTags(dataDirs: readonly string[], keyspace: string, prefix: string): Promise<string[]> {
  const tags = new Set<string>();
  for (const dir of dataDirs) {
    for (const table of await readdir(join(dir, keyspace)).catch(() => [])) {
      for (const tag of await readdir(join(dir, keyspace, table, 'snapshots')).catch(() => [])) {
        if (tag.startsWith(prefix)) tags.add(tag);
      }
    }
  }
  return [...tags].sort();
}
