import { SkepError } from '../../errors.ts';

export interface EmptyOptions {
  signal?: AbortSignal;
  onDeleted?: (key: string, bytes: number) => void;
}

/**
 * Where a sweep puts what it removes, on a storage that can move a key. Nothing is lost by a mistake until a bin is
 * emptied, and a sweep whose bin was closed by another can remove nothing any more, however late it wakes up.
 */
export interface Bins {
  /** Makes the bin. It is made once: an id is never used again. */
  open(id: string): Promise<void>;
  /**
   * Moves keys into the bin; gives those that were moved (the others were not there). `locked` when the bin was closed:
   * then nothing was or will be moved by this call from that moment on.
   */
  take(id: string, keys: readonly string[]): Promise<string[]>;
  /**
   * Deletes for good what is in the bin, telling each key and its size. `locked` when the bin was closed meanwhile: then
   * what was not yet deleted has been put back. May be repeated.
   */
  empty(id: string, options?: EmptyOptions): Promise<void>;
  /**
   * Puts back what is in the bin, and removes the bin for ever: when this returns, no `take` into it has or will have
   * an effect. Anyone may do so, several at once, and more than once.
   */
  close(id: string): Promise<void>;
  /** Ids of the bins that are there. */
  list(): Promise<string[]>;
}

/** What `take` ends with when the bin was closed. */
export function binClosed(id: string): SkepError {
  return new SkepError('locked', `the sweep ${id} was ended by another run`, { context: { sweep: id } });
}

export function isBinClosed(error: unknown): boolean {
  return error instanceof SkepError && error.code === 'locked' && typeof error.context['sweep'] === 'string';
}
