import { binClosed, type Bins, type EmptyOptions } from './bins.ts';

/** Bins of a backend in memory. */
export class MemoryBins implements Bins {
  readonly #contents: Map<string, Buffer>;
  readonly #bins = new Map<string, Map<string, Buffer>>();

  constructor(contents: Map<string, Buffer>) {
    this.#contents = contents;
  }

  async open(id: string): Promise<void> {
    this.#bins.set(id, new Map());
  }

  async take(id: string, keys: readonly string[]): Promise<string[]> {
    const bin = this.#bins.get(id);
    if (bin === undefined) throw binClosed(id);
    const taken: string[] = [];
    for (const key of keys) {
      const bytes = this.#contents.get(key);
      if (bytes === undefined) continue;
      bin.set(key, bytes);
      this.#contents.delete(key);
      taken.push(key);
    }
    return taken;
  }

  async empty(id: string, options: EmptyOptions = {}): Promise<void> {
    const bin = this.#bins.get(id);
    if (bin === undefined) throw binClosed(id);
    for (const [key, bytes] of bin) options.onDeleted?.(key, bytes.length);
    bin.clear();
  }

  async close(id: string): Promise<void> {
    for (const [key, bytes] of this.#bins.get(id) ?? []) if (!this.#contents.has(key)) this.#contents.set(key, bytes);
    this.#bins.delete(id);
  }

  async list(): Promise<string[]> {
    return [...this.#bins.keys()];
  }
}
