import { join } from 'node:path';
import { clockOf, isSettled, stampOf } from '../../folder-stamp.ts';

/** What a walk is told of a folder that it comes to. */
interface Seen {
  /** The folders in it, when nothing in it has changed since it was walked. */
  folders: readonly string[] | undefined;
  /** To be called when all files of the folder have been dealt with. */
  walked(folders: readonly string[]): void;
}

/** Folders that need not be walked again as long as no name comes to them or goes. */
export class KnownFolders {
  readonly #root: string;
  readonly #place: string;
  readonly #known = new Map<string, { stamp: string; folders: readonly string[] }>();
  /** By the filesystem's clock, during the walk that is under way; asked for when it is needed. */
  #now: { ns: bigint | undefined } | undefined;
  #onlySure = false;

  /** `place` is a folder on the same filesystem in which others may be made. */
  constructor(root: string, place: string) {
    this.#root = root;
    this.#place = place;
  }

  /** A walk begins. `onlySure`: it relies on no filesystem that is not known to tell of every change. */
  begin(onlySure: boolean): void {
    this.#onlySure = onlySure;
    this.#now = undefined;
  }

  look(folder: string): Seen {
    const path = join(this.#root, folder);
    const known = this.#known.get(folder);
    const found = stampOf(path);
    const isSame = found !== undefined && found.stamp === known?.stamp;
    if (isSame && (found.isSure || !this.#onlySure)) return { folders: known.folders, walked: () => {} };
    this.#now ??= { ns: clockOf(this.#place) };
    const { ns } = this.#now;
    // From before the listing, and after the clock was asked: what changes from now on has another stamp if this one is settled.
    const stamp = stampOf(path);
    return {
      folders: undefined,
      walked: (folders) => {
        if (stamp !== undefined && isSettled(stamp, ns)) this.#known.set(folder, { stamp: stamp.stamp, folders });
        else this.#known.delete(folder);
      },
    };
  }
}
