import { readdir } from 'node:fs/promises';

/** The names in a folder; none where there is no such folder. Any other failure is thrown. */
export async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (e) {
    if ((e as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw e;
  }
}
