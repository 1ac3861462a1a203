import { Readable } from 'node:stream';
import { SkepError } from '../../errors.ts';
import type { Backend, Batch, ByteRange, ConflictPolicy, Staged, StoredKey } from './backend.ts';
import { MemoryBins } from './memory-bins.ts';

/** Keeps everything in memory: for tests of what stands on a backend. */
export class MemoryBackend implements Backend {
  readonly location = 'memory';
  readonly contents = new Map<string, Buffer>();
  readonly bins = new MemoryBins(this.contents);

  async put(key: string, bytes: Uint8Array, options: { overwrite?: boolean } = {}): Promise<'created' | 'exists'> {
    if (this.contents.has(key) && options.overwrite !== true) return 'exists';
    this.contents.set(key, Buffer.from(bytes));
    return 'created';
  }

  async append(key: string, bytes: Uint8Array): Promise<void> {
    this.contents.set(key, Buffer.concat([this.contents.get(key) ?? Buffer.alloc(0), bytes]));
  }

  async get(key: string, range?: ByteRange): Promise<Buffer> {
    const bytes = this.contents.get(key);
    if (bytes === undefined) throw new SkepError('object-missing', `nothing there to read ${key}`);
    return Buffer.from(bytes.subarray(range?.start ?? 0, range?.end ?? bytes.length));
  }

  async read(key: string, range?: ByteRange): Promise<Readable> {
    return Readable.from([await this.get(key, range)], { objectMode: false });
  }

  async sizes(keys: readonly string[]): Promise<(number | undefined)[]> {
    return keys.map((key) => this.contents.get(key)?.length);
  }

  async names(prefix: string): Promise<ReadonlyMap<string, number | undefined>> {
    const keys = [...this.contents].filter(([key]) => key.startsWith(prefix));
    return new Map(
      keys
        .map(([key, bytes]) => [key.slice(prefix.length), bytes.length] as const)
        .filter(([name]) => !name.includes('/')),
    );
  }

  async *list(prefix: string): AsyncIterable<StoredKey> {
    for (const [key, bytes] of this.contents) if (key.startsWith(prefix)) yield { key, size: bytes.length };
  }

  async delete(key: string): Promise<boolean> {
    return this.contents.delete(key);
  }

  async deleteMany(keys: readonly string[]): Promise<void> {
    for (const key of keys) this.contents.delete(key);
  }

  async deletePrefix(prefix: string): Promise<void> {
    for (const key of this.contents.keys()) if (key.startsWith(prefix)) this.contents.delete(key);
  }

  openBatch(prefix: string): Batch {
    return new MemoryBatch(this.contents, prefix);
  }
}

class MemoryBatch implements Batch {
  readonly #contents: Map<string, Buffer>;
  readonly #prefix: string;
  #next = 0;
  #additions: { staged: MemoryStaged; key: string; onConflict: ConflictPolicy }[] = [];

  constructor(contents: Map<string, Buffer>, prefix: string) {
    this.#contents = contents;
    this.#prefix = prefix;
  }

  async stage(): Promise<Staged> {
    return new MemoryStaged(this.#contents, `${this.#prefix}${this.#next++}`);
  }

  async stageBytes(bytes: Uint8Array): Promise<Staged> {
    const staged = await this.stage();
    await staged.write(bytes);
    return staged;
  }

  add(staged: Staged, key: string, onConflict: ConflictPolicy): void {
    if (!(staged instanceof MemoryStaged)) throw new SkepError('internal', 'staged by another backend');
    this.#additions.push({ staged, key, onConflict });
  }

  async flush(): Promise<ReadonlySet<string>> {
    const existed = new Set<string>();
    for (const { staged, key, onConflict } of this.#additions.splice(0)) {
      const found = this.#contents.get(key);
      if (found?.length === staged.size && onConflict !== 'renew') existed.add(key);
      else if (found !== undefined && onConflict === 'fail') {
        throw new SkepError('repository-failed', `${key} has ${found.length} bytes, not ${staged.size}`);
      } else {
        if (found !== undefined) this.#contents.set(`damaged/${key.slice(key.lastIndexOf('/') + 1)}-kept`, found);
        this.#contents.set(key, staged.bytes());
      }
      await staged.discard();
    }
    return existed;
  }

  async close(): Promise<void> {
    this.#additions = [];
    for (const key of this.#contents.keys()) if (key.startsWith(this.#prefix)) this.#contents.delete(key);
  }
}

class MemoryStaged implements Staged {
  readonly #contents: Map<string, Buffer>;
  readonly #key: string;

  constructor(contents: Map<string, Buffer>, key: string) {
    this.#contents = contents;
    this.#key = key;
    contents.set(key, Buffer.alloc(0));
  }

  get size(): number {
    return this.bytes().length;
  }

  bytes(): Buffer {
    const bytes = this.#contents.get(this.#key);
    if (bytes === undefined) throw new SkepError('repository-failed', `staged ${this.#key} is gone`);
    return bytes;
  }

  async write(chunk: Uint8Array): Promise<void> {
    this.#contents.set(this.#key, Buffer.concat([this.bytes(), chunk]));
  }

  async end(): Promise<void> {}

  async discard(): Promise<void> {
    this.#contents.delete(this.#key);
  }
}
