import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { AttachmentStore, FileState } from './attachment-store.ts';
import { hashFile } from './hash-file.ts';
import { walkFiles } from './walk.ts';

export class FolderStore implements AttachmentStore {
  readonly inPlace = true;
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

  hashOf(path: string, algorithm: string, signal: AbortSignal): Promise<string> {
    return hashFile(join(this.#location, path), algorithm, signal);
  }
}
