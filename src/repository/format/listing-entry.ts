/** A file of a listing. `path` is relative, with `/`, in UTF-8. */
export interface FileEntry {
  path: string;
  /** Plain size in bytes. */
  size: number;
  /** Name of the object with its content. */
  object: string;
  mtimeMs?: number;
  /** Permission bits, e.g. 0o640. */
  mode?: number;
  /** Only where the object is not raw. */
  stored?: { encoding: 'zstd'; size: number; sha256: string };
  linkTo?: undefined;
}

/** A symbolic link of a listing. */
export interface LinkEntry {
  path: string;
  /** The link's target as it is. */
  linkTo: string;
  mtimeMs?: number;
  object?: undefined;
  size?: undefined;
}

export type ListingEntry = FileEntry | LinkEntry;
