import { constants } from 'node:fs';
import { access, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { SkepError } from '../../errors.ts';
import { compareBytewise, type FileEntry, fileEntry } from '../../repository/index.ts';
import type { MethodHandlers } from '../handlers.ts';
import { attributesOf } from '../attributes-of.ts';
import { runCommand } from '../run-command.ts';

/** How the machine's packages are asked for: Debian's, else those of Red Hat. */
const PACKAGE_LISTS = [
  ['dpkg-query', '-W', '-f', '${Package}\t${Version}\t${Architecture}\n'],
  ['rpm', '-qa', '--qf', '%{NAME}\t%{VERSION}-%{RELEASE}\t%{ARCH}\n'],
];

/** Where the list of packages is in the listing, beside absolute paths without their first slash. */
const PACKAGES = 'packages.tsv';

export const configHandlers = {
  async 'capture.config'(p, { session, signal }) {
    const found = (await Promise.all(p.paths.map(({ path, optional }) => filesAt(path, optional)))).flat();
    const store = await session.openStore(p.target, { hints: false });
    const entries: FileEntry[] = [];
    for (const path of [...new Set(found)].sort()) {
      signal.throwIfAborted();
      const s = await stat(path);
      const o = await store.writer.putFile(path, { signal });
      entries.push(fileEntry(path.slice(1), o, attributesOf(s)));
    }
    const packages = await installedPackages(signal);
    if (packages !== undefined) entries.push(fileEntry(PACKAGES, await store.writer.putBytes(Buffer.from(packages))));
    entries.sort((a, b) => compareBytewise(a.path, b.path));
    const listing = await store.repository.writeListing(entries, store.writer, { signal });
    const { newBytes, newObjects } = store.writer.totals;
    await session.closeStore(store);
    return { listing, newBytes, newObjects };
  },
} satisfies Partial<MethodHandlers>;

/** The files at or below a path; all of them can be read. */
async function filesAt(path: string, optional: boolean): Promise<string[]> {
  try {
    const found = await stat(path).catch((e: NodeJS.ErrnoException) => {
      if (e.code === 'ENOENT' && optional) return undefined;
      throw e;
    });
    if (found === undefined) return [];
    const files = found.isDirectory() ? await filesBelow(path) : [path];
    for (const file of files) await access(file, constants.R_OK);
    return files;
  } catch (e) {
    const { code, path: where = path } = e as NodeJS.ErrnoException;
    const what = code === 'ENOENT' ? 'file-missing' : 'file-unreadable';
    throw new SkepError(what, `the configuration ${where} cannot be read: ${code}`, {
      hint: 'Let who reads it into the group of that file, or name another user under `agent.users.config` in skep.yaml.',
      context: { path: where },
      cause: e,
    });
  }
}

/** A link to a file counts as that file: certificates are often linked. One that leads nowhere configures nothing. */
async function filesBelow(folder: string): Promise<string[]> {
  const files: string[] = [];
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isFile() || (entry.isSymbolicLink() && (await leadsToFile(path)))) files.push(path);
  }
  return files;
}

async function leadsToFile(link: string): Promise<boolean> {
  try {
    return (await stat(link)).isFile();
  } catch (e) {
    if ((e as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw e;
  }
}

/** A line for each package; undefined on a machine that keeps none. */
async function installedPackages(signal: AbortSignal): Promise<string | undefined> {
  for (const argv of PACKAGE_LISTS) {
    const ran = await runCommand(argv, { timeoutMs: 60_000, signal }).catch(() => undefined);
    if (ran?.exitCode === 0) return ran.stdout.split('\n').sort().join('\n').trimStart();
  }
  return undefined;
}
