import { access, constants, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/**
 * Where skep keeps what it links or moves out of `folder`: beside it, or inside it where it is a mount of its own or the
 * folder above may not be written to. Links and renames never leave a filesystem.
 */
export async function ownFolder(folder: string, name: string): Promise<string> {
  const parent = dirname(folder);
  const beside = join(parent, name);
  const [here, above] = await Promise.all([stat(folder), stat(parent)]);
  return here.dev === above.dev && (await mayWrite(beside, parent)) ? beside : join(folder, name);
}

async function mayWrite(folder: string, parent: string): Promise<boolean> {
  for (const path of [folder, parent]) {
    try {
      await access(path, constants.W_OK);
      return true;
    } catch (e) {
      if ((e as NodeJS.ErrnoException).code !== 'ENOENT') return false;
    }
  }
  return false;
}
