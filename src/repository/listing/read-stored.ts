import { PathBackend } from '../backend/path/path-backend.ts';
import { throwIfCancelled } from '../../cancel.ts';
import { fileThreads } from '../content/threads/file-threads.ts';
import { type FolderMarks, takeMarks } from '../folder-marks.ts';
import type { Vault } from '../sealing/keyring.ts';
import type { ListingRef, StoredGroup } from '../types.ts';
import { storedGroups } from './stored-groups.ts';

/** With fewer files a thread takes longer to start than to read. */
const WORTH_A_THREAD = 20_000;

/** See `Repository.readStored`. */
export async function readStored(
  vault: Vault,
  { root, files }: Pick<ListingRef, 'root' | 'files'>,
  onGroup: (group: StoredGroup) => void,
  options: { signal?: AbortSignal } = {},
): Promise<FolderMarks> {
  const { backend, keyring } = vault;
  const check = () => throwIfCancelled(options.signal);
  // Before anything is looked for: they tell of what is lost from then on.
  const marks = await takeMarks(backend);
  if (fileThreads.areAllowed && files > WORTH_A_THREAD && backend instanceof PathBackend && !keyring.sealed) {
    await fileThreads.run({ do: 'look', location: backend.location, root }, { check }, { group: onGroup });
    return marks;
  }
  for await (const group of storedGroups(vault, root)) {
    check();
    onGroup(group);
  }
  return marks;
}
