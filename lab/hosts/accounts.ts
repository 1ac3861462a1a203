import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { LabLayout } from '../layout.ts';

/** Who is on the machines of a lab with hosts: each store's own user, and the operator, who logs in and is not root. */
export const ACCOUNTS = { operator: 64100, cassandra: 64101, elasticsearch: 64102, thehive: 64103 } as const;
export type Account = keyof typeof ACCOUNTS;

/** All of them are in it: the folder of the repository belongs to it. */
export const SHARED_GROUP = { name: 'skep', gid: 64110 } as const;

const NAMES = Object.keys(ACCOUNTS) as Account[];

/** Files that stand in for the machine's own below `/etc`, by their names there. */
export type AccountFiles = Record<'passwd' | 'group' | 'shadow', string>;

/** The machine's accounts, and those of the lab: written beside, never into the machine's files. */
export async function writeAccounts(layout: LabLayout): Promise<AccountFiles> {
  const id = (name: Account): number => ACCOUNTS[name];
  const added: Record<keyof AccountFiles, string[]> = {
    passwd: NAMES.map((name) => `${name}:x:${id(name)}:${id(name)}::/home/${name}:/bin/sh`),
    group: [
      ...NAMES.map((name) => `${name}:x:${id(name)}:`),
      `${SHARED_GROUP.name}:x:${SHARED_GROUP.gid}:${NAMES.join(',')}`,
    ],
    // `*`: no password opens it, and it is not locked, so that keys do
    shadow: NAMES.map((name) => `${name}:*:19000:0:99999:7:::`),
  };
  const files = {} as AccountFiles;
  for (const [name, lines] of Object.entries(added) as [keyof AccountFiles, string[]][]) {
    const own = await readFile(path.join('/etc', name), 'utf8');
    files[name] = path.join(layout.hosts, name);
    const mode = name === 'shadow' ? 0o600 : 0o644;
    const kept = own.split('\n').filter((line) => line !== '' && !NAMES.includes(line.split(':')[0] as Account));
    await writeFile(files[name], `${[...kept, ...lines].join('\n')}\n`, { mode });
  }
  return files;
}
