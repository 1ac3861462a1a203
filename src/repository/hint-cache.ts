/** What identifies an unchanged file on a node. */
export interface FileIdentity {
  dev: bigint;
  ino: bigint;
  size: bigint;
  mtimeNs: bigint;
}

/** Remembers which content a file had when it was read last. Only a hint: the writer still checks the object. */
export interface HintCache {
  get(file: FileIdentity): string | undefined;
  set(file: FileIdentity, objectName: string): void;
  /** Writes the file anew (temporary file, rename) with the hints that were asked for or set since it was opened. */
  save(): Promise<void>;
}
