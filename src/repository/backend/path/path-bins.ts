import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import { dirname, join } from 'node:path';
import { throwIfCancelled } from '../../../cancel.ts';
import { makeFolder } from '../../../make-folder.ts';
import { binClosed, type Bins, type EmptyOptions } from '../bins.ts';
import { errnoCode, repositoryFsError } from './fs-error.ts';
import { forEachInSlices } from './slices.ts';
import { linkOrCopy } from './shared-folder.ts';
import { syncFilesystem } from './sync.ts';

/** Bins that were closed and could not be removed. */
const LEFT = 'left-';

/**
 * A bin is a folder below `trash/`. To close it is to remove the folder: the kernel, or the file server, then refuses to
 * move anything into it, also by the handle of who had opened it before. It can only be removed when it is empty, so
 * whatever came in while it was being closed is put back too.
 */
export class PathBins implements Bins {
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
  }

  async open(id: string): Promise<void> {
    try {
      makeFolder(join(this.#root, 'trash'));
      fs.mkdirSync(this.#folder(id));
    } catch (error) {
      throw repositoryFsError(error, `make trash/${id}`);
    }
  }

  async take(id: string, keys: readonly string[]): Promise<string[]> {
    const taken: string[] = [];
    await forEachInSlices(keys, (key) => {
      try {
        fs.renameSync(join(this.#root, key), this.#fileOf(id, key));
        taken.push(key);
      } catch (error) {
        if (!['ENOENT', 'ESTALE'].includes(errnoCode(error) ?? '')) throw repositoryFsError(error, `take ${key}`);
        // Either the key or the bin is not there; on NFS a move that succeeded may be sent, and then refused, again.
        if (!fs.existsSync(this.#folder(id))) throw binClosed(id);
        if (fs.existsSync(this.#fileOf(id, key))) taken.push(key);
      }
    });
    return taken;
  }

  async empty(id: string, options: EmptyOptions = {}): Promise<void> {
    await forEachInSlices(this.#keyNames(id), (name) => {
      throwIfCancelled(options.signal);
      const path = join(this.#folder(id), name);
      try {
        const { size } = fs.statSync(path);
        fs.unlinkSync(path);
        options.onDeleted?.(decodeURIComponent(name), size);
      } catch (error) {
        if (errnoCode(error) !== 'ENOENT') throw repositoryFsError(error, `delete ${name} from trash/${id}`);
      }
    });
    if (!fs.existsSync(this.#folder(id))) throw binClosed(id);
  }

  async close(id: string): Promise<void> {
    let putBack = false;
    while (fs.existsSync(this.#folder(id))) {
      await forEachInSlices(this.#keyNames(id), (name) => {
        putBack = true;
        this.#putBack(id, name);
      });
      try {
        fs.rmdirSync(this.#folder(id));
      } catch (error) {
        if (!['ENOENT', 'ENOTEMPTY', 'EEXIST'].includes(errnoCode(error) ?? '')) {
          throw repositoryFsError(error, `remove trash/${id}`);
        }
        if (!this.#holdsOnlyOthers(id)) continue;
        if (!id.startsWith(LEFT)) await this.#leave(id);
        break;
      }
    }
    // A manifest may rely on what was put back.
    if (putBack) await syncFilesystem(this.#root);
  }

  async list(): Promise<string[]> {
    return names(join(this.#root, 'trash'));
  }

  #putBack(id: string, name: string): void {
    const from = join(this.#folder(id), name);
    const to = join(this.#root, decodeURIComponent(name));
    try {
      makeFolder(dirname(to));
      // Where the key was written anew meanwhile, that content stays.
      linkOrCopy(from, to, join(this.#root, 'incoming', 'put', randomBytes(8).toString('hex')));
      fs.unlinkSync(from);
    } catch (error) {
      // Another one puts back too, or the sweep had just deleted it.
      if (errnoCode(error) !== 'ENOENT') throw repositoryFsError(error, `put ${name} back from trash/${id}`);
    }
  }

  /**
   * A file that somebody has open keeps its folder on NFS, under a name of the client's: `.nfs…`. Under another name the
   * folder takes nothing more from who knows it by its old one. The next writer tries again to remove it.
   */
  async #leave(id: string): Promise<void> {
    const left = `${LEFT}${randomBytes(8).toString('hex')}`;
    try {
      fs.renameSync(this.#folder(id), this.#folder(left));
    } catch (error) {
      // Another one closes it too.
      if (errnoCode(error) === 'ENOENT') return;
      throw repositoryFsError(error, `rename trash/${id}`);
    }
    // What came in at the last moment.
    await this.close(left);
  }

  #holdsOnlyOthers(id: string): boolean {
    const all = names(this.#folder(id));
    return all.length > 0 && !all.some(isKeyName);
  }

  #keyNames(id: string): string[] {
    return names(this.#folder(id)).filter(isKeyName);
  }

  #folder(id: string): string {
    return join(this.#root, 'trash', id);
  }

  #fileOf(id: string, key: string): string {
    return join(this.#folder(id), encodeURIComponent(key));
  }
}

/** Names of others are no keys: a client of NFS keeps a file there that was deleted while it was open. */
function isKeyName(name: string): boolean {
  return /^(?:objects|listings)%2F/.test(name);
}

function names(folder: string): string[] {
  try {
    return fs.readdirSync(folder);
  } catch (error) {
    if (errnoCode(error) === 'ENOENT') return [];
    throw repositoryFsError(error, `list ${folder}`);
  }
}
