import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';

const STAMP = '.complete.json';
const Stamp = z.object({ files: z.record(z.string(), z.number()) });

/** Says that a folder is whole: writes the name and size of every file in it, as the last file. */
export async function writeStamp(folder: string): Promise<void> {
  const files: Record<string, number> = {};
  for (const name of await filesBelow(folder)) files[name] = (await stat(path.join(folder, name))).size;
  await writeFile(path.join(folder, STAMP), JSON.stringify({ files }));
}

/** True when the folder has a stamp and every file that it names is there with its size. */
export async function stampHolds(folder: string): Promise<boolean> {
  try {
    const stamp = Stamp.parse(JSON.parse(await readFile(path.join(folder, STAMP), 'utf8')));
    for (const [name, size] of Object.entries(stamp.files)) {
      if ((await stat(path.join(folder, name))).size !== size) return false;
    }
    return true;
  } catch {
    // no stamp, a torn stamp, or a file that is gone: not whole
    return false;
  }
}

async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((e) => e.isFile() && e.name !== STAMP)
    .map((e) => path.relative(folder, path.join(e.parentPath, e.name)))
    .sort();
}
