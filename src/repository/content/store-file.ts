import type { Staged } from '../backend/backend.ts';
import { readPipelined } from './read-pipelined.ts';
import type { SourceFile } from './source-file.ts';
import {
  type Encoder,
  type HashedContent,
  hashForEncoding,
  type ReadWatch,
  storeContent,
  type StoredContent,
} from './store-content.ts';
import { fileThreads } from './threads/file-threads.ts';

/** Reads a file to its end for its hash, and for the encoding that `storeFile` would take. `size` is what it seems to have. */
export async function hashFile(
  file: SourceFile,
  size: number,
  encoder: Encoder,
  watch: ReadWatch,
): Promise<HashedContent> {
  if (fileThreads.worth(size)) return fileThreads.run({ do: 'hash', from: shared(file), encoder }, watch);
  return hashForEncoding(readPipelined(file), encoder, watch);
}

/** `storeContent` of a file that seems to have `size` bytes. */
export async function storeFile(
  file: SourceFile,
  size: number,
  staged: Staged,
  encoder: Encoder,
  watch: ReadWatch,
): Promise<StoredContent> {
  const to = staged.file;
  // Threads know no pace.
  const inThread = to !== undefined && watch.pace === undefined && fileThreads.worth(size);
  if (!inThread) return storeContent(readPipelined(file), staged, encoder, watch);
  const { path, descriptor } = to;
  const stored = await fileThreads.run({ do: 'store', from: shared(file), to: { path, descriptor }, encoder }, watch, {
    written: (total) => to.wrote(total),
  });
  to.wrote(stored.form.storedSize);
  await staged.end();
  return stored;
}

function shared({ path, descriptor }: SourceFile): { path: string; descriptor: number } {
  return { path, descriptor };
}
