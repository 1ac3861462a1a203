import type { Readable } from 'node:stream';
import type { FileState } from './attachment-store.ts';
import type { Lost } from './lost-files.ts';

/** Of a path: seen since the watch began. */
export const SEEN = 1;
/** Its content is stored: it is seen, but not given to `onNew`. */
export const STORED = 4;

/** Says of a file that is seen for the first time whether its content is stored. `state` is undefined when it is gone. */
export type Skip = (path: string, state: () => FileState | undefined) => boolean | Promise<boolean>;

/** A file as it is read: by its path, or by a stream that can be opened twice; `close` gives back one that was not. */
export type Source = { state: FileState } & ({ file: string } | { open: () => Promise<Readable>; close: () => void });

/** Watches attachments from the first listing on, wherever they are kept. */
export interface Watch {
  /** True where a file is there before it is whole. */
  readonly inPlace: boolean;
  /** How many files were seen since the beginning, deleted ones too. */
  readonly seen: number;
  /** How many of them cannot vanish before they are read. */
  readonly pinned: number;
  wasSeen(id: number): boolean;
  /**
   * The first listing; from then on a new look every `pollMs`, or as often as that can be. When `stored` has resolved the
   * table of paths tells what is `STORED`. Error: `file-missing`.
   */
  start(pollMs: number, stored?: Promise<unknown>): Promise<void>;
  /** One look more, after all that are under way. Throws what went wrong in any of them. */
  look(): Promise<void>;
  /** No further look; one that is under way ends soon. */
  halt(): void;
  /** Stops looking and gives everything back. May be called again. */
  stop(): Promise<void>;
  /** Undefined when it is gone and that is no failure: it counts as not seen. Error: `file-missing`. */
  open(id: number, signal: AbortSignal): Promise<Source | undefined>;
  /**
   * Called when the content of a file was gone in the middle of a reading. True when that is no failure: it counts as not
   * seen, and is among the lost.
   */
  gone(id: number): boolean;
  lost(): Lost[];
}
