import { mkdir, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { exclusive } from './exclusive.ts';
import { stampHolds, writeStamp } from './stamp.ts';

/**
 * Gives `folder`, made whole by `make` if it is not whole yet. `make` fills a folder beside it, which is stamped
 * and renamed only when `make` succeeded: a half-made folder never has the final name. Safe in two processes at once.
 */
export async function makeOnce(
  folder: string,
  make: (into: string) => Promise<void>,
  signal?: AbortSignal,
): Promise<string> {
  if (await stampHolds(folder)) return folder;
  return exclusive(
    folder,
    async () => {
      if (await stampHolds(folder)) return folder;
      const half = path.join(path.dirname(folder), `.${path.basename(folder)}.half`);
      await rm(half, { recursive: true, force: true });
      await mkdir(half, { recursive: true });
      try {
        await make(half);
        await writeStamp(half);
        await rm(folder, { recursive: true, force: true });
        await rename(half, folder);
      } finally {
        await rm(half, { recursive: true, force: true });
      }
      return folder;
    },
    signal,
  );
}
