import { copyFile, mkdir, readdir } from 'node:fs/promises';
import path from 'node:path';

/** The folder of a table among those of its keyspace. */
export async function tableFolder(keyspaceFolder: string, table: string): Promise<string> {
  const folders = await readdir(keyspaceFolder);
  return path.join(keyspaceFolder, folders.find((name) => name.startsWith(`${table}-`)) ?? '');
}

/** The files of one SSTable of a table, for Cassandra to take in. */
export async function copySstable(keyspaceFolder: string, table: string, to: string): Promise<void> {
  const from = await tableFolder(keyspaceFolder, table);
  const files = await readdir(from);
  const [first = ''] = files.filter((name) => name.endsWith('-Data.db'));
  await mkdir(to);
  const prefix = first.replace(/Data\.db$/, '');
  for (const name of files.filter((f) => f.startsWith(prefix)))
    await copyFile(path.join(from, name), path.join(to, name));
}
