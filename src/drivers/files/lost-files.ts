/** An attachment that was gone before it could be kept, and how long ago that was noticed. */
export interface Lost {
  path: string;
  agoMs: number;
}

/** What a watch has lost: whether the graph may refer to it is for who knows `T`. */
export class LostFiles {
  /** When it was noticed; ms since 1970. */
  readonly #at = new Map<string, number>();

  add(path: string, atMs: number = Date.now()): void {
    this.#at.set(path, atMs);
  }

  /** It is there again. */
  found(path: string): void {
    this.#at.delete(path);
  }

  all(): Lost[] {
    const nowMs = Date.now();
    return [...this.#at].map(([path, atMs]) => ({ path, agoMs: nowMs - atMs }));
  }
}
