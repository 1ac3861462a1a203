import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { AttachmentStore, FileState } from './attachment-store.ts';
import { sha256File } from './hash-file.ts';
import { walkFiles } from './walk.ts';

export class FolderStore implements AttachmentStore {
  readonly #location: string;

  constructor(location: string) {
    this.#location = location;
  }

  paths(): AsyncIterable<string> {
    return walkFiles(this.#location);
  }

  async stateOf(path: string): Promise<FileState | undefined> {
    return stat(join(this.#location, path)).catch(() => undefined);
  }

  sha256Of(path: string, signal: AbortSignal): Promise<string> {
    return sha256File(join(this.#location, path), signal);
  }
}
