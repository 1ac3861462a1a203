/** A storage that may do anything but keep quiet about it for ever: one operation's view of a backend. */
import { Readable } from 'node:stream';
import type {
  Backend,
  Batch,
  ByteRange,
  ConflictPolicy,
  Staged,
  StoredKey,
} from '../../../../../src/repository/backend/backend.ts';
import type { Bins, EmptyOptions } from '../../../../../src/repository/backend/bins.ts';
import { failed, type Fault, type FaultKind, type Faults, full, turns } from './faults.ts';

const ANY: FaultKind[] = ['fail', 'slow', 'down'];
const WRITES = new Set<FaultKind>([...ANY, 'lost', 'full', 'cut']);
const PUTS = new Set<FaultKind>([...WRITES, 'again', 'short-put']);
const DELETES = new Set<FaultKind>([...ANY, 'lost', 'again']);
const GROUPS = new Set<FaultKind>([...ANY, 'lost', 'partly']);
const FLUSHES = new Set<FaultKind>([...ANY, 'lost', 'again', 'full', 'partly', 'short-put']);
const READS = new Set<FaultKind>([...ANY, 'short-read']);
const STREAMS = new Set<FaultKind>([...ANY, 'short-read', 'broken-read']);
const LISTS = new Set<FaultKind>([...ANY, 'stale']);
const LOOKS = new Set<FaultKind>(ANY);

/** What kind of storage it looks like. */
export interface Traits {
  bins: boolean;
  keyFirst: boolean;
}

/** Keys that were deleted last, for listings that still show them; one for each storage. */
export type Gone = Map<string, StoredKey>;

export class FaultyBackend implements Backend {
  readonly location: string;
  readonly keyFirst: boolean;
  readonly bins?: Bins;
  readonly #inner: Backend;
  readonly #faults: Faults;
  readonly #gone: Gone;
  #isDown = false;
  #wasStale = false;

  constructor(inner: Backend, faults: Faults, traits: Traits, gone: Gone) {
    this.location = inner.location;
    this.keyFirst = traits.keyFirst;
    this.#inner = inner;
    this.#faults = faults;
    this.#gone = gone;
    if (traits.bins && inner.bins !== undefined) this.bins = this.#faultyBins(inner.bins);
  }

  async put(key: string, bytes: Uint8Array, options: { overwrite?: boolean } = {}): Promise<'created' | 'exists'> {
    const fault = await this.strike(`put ${key}`, PUTS);
    const kind = fault?.kind;
    const isPart = kind === 'cut' || kind === 'short-put';
    const sent = isPart ? bytes.subarray(0, Math.floor(bytes.length / 2)) : bytes;
    const answer = await this.#inner.put(key, sent, options);
    if (kind === 'lost' || kind === 'cut') throw failed(`put ${key}`);
    return kind === 'again' ? this.#inner.put(key, bytes, options) : answer;
  }

  async append(key: string, bytes: Uint8Array): Promise<void> {
    const fault = await this.strike(`append ${key}`, WRITES);
    await this.#inner.append(key, fault?.kind === 'cut' ? bytes.subarray(0, bytes.length >> 1) : bytes);
    if (fault?.kind === 'lost' || fault?.kind === 'cut') throw failed(`append ${key}`);
  }

  async get(key: string, range?: ByteRange): Promise<Buffer> {
    const fault = await this.strike(`get ${key}`, READS);
    const bytes = await this.#inner.get(key, range);
    return fault?.kind === 'short-read' ? bytes.subarray(0, bytes.length >> 1) : bytes;
  }

  async read(key: string, range?: ByteRange): Promise<Readable> {
    const fault = await this.strike(`read ${key}`, STREAMS);
    if (fault?.kind !== 'short-read' && fault?.kind !== 'broken-read') return this.#inner.read(key, range);
    const bytes = await this.#inner.get(key, range);
    return Readable.from(begin(bytes.subarray(0, bytes.length >> 1), fault.kind === 'broken-read'), {
      objectMode: false,
    });
  }

  async sizes(keys: readonly string[]): Promise<(number | undefined)[]> {
    await this.strike(`look at ${keys[0]}`, LOOKS);
    return this.#inner.sizes(keys);
  }

  async names(prefix: string): Promise<ReadonlyMap<string, number | undefined>> {
    const fault = await this.strike(`list ${prefix}`, LISTS);
    const names = await this.#inner.names(prefix);
    return fault?.kind === 'stale' ? new Map([...names].slice(0, -fault.amount)) : names;
  }

  async *list(prefix: string): AsyncIterable<StoredKey> {
    // Leases rely on listings, which `init` looks at: that is the one promise which nothing makes good.
    const isRelied = prefix === 'leases/';
    const fault = await this.strike(`list ${prefix}`, isRelied ? LOOKS : LISTS);
    const found: StoredKey[] = [];
    for await (const key of this.#inner.list(prefix)) found.push(key);
    if (fault?.kind !== 'stale') yield* found;
    else {
      yield* found.slice(0, -fault.amount);
      for (const [key, was] of this.#gone) if (key.startsWith(prefix)) yield was;
    }
  }

  async delete(key: string): Promise<boolean> {
    const fault = await this.strike(`delete ${key}`, DELETES);
    const was = await this.#drop([key], () => this.#inner.delete(key));
    if (fault?.kind === 'lost') throw failed(`delete ${key}`);
    return fault?.kind === 'again' ? false : was;
  }

  async deleteMany(keys: readonly string[]): Promise<void> {
    const fault = await this.strike(`delete ${keys.length} keys`, GROUPS);
    const some = fault?.kind === 'partly' ? keys.slice(0, Math.ceil(keys.length / 2)) : keys;
    await this.#drop(some, () => this.#inner.deleteMany(some));
    if (fault?.kind === 'lost' || fault?.kind === 'partly') throw failed(`delete ${keys.length} keys`);
  }

  async deletePrefix(prefix: string): Promise<void> {
    const fault = await this.strike(`delete ${prefix}`, GROUPS);
    if (fault?.kind === 'partly') {
      const keys: string[] = [];
      for await (const { key } of this.#inner.list(prefix)) keys.push(key);
      await this.#inner.deleteMany(keys.slice(0, Math.ceil(keys.length / 2)));
    } else await this.#inner.deletePrefix(prefix);
    if (fault?.kind === 'lost' || fault?.kind === 'partly') throw failed(`delete ${prefix}`);
  }

  async clearLeftovers(): Promise<number> {
    await this.strike('clear leftovers', LOOKS);
    return (await this.#inner.clearLeftovers?.()) ?? 0;
  }

  openBatch(prefix: string): Batch {
    return new FaultyBatch(this, this.#inner, this.#inner.openBatch(prefix));
  }

  /** Throws, or waits, or gives the fault for the caller to carry out. */
  async strike(what: string, fits: ReadonlySet<FaultKind>): Promise<Fault | undefined> {
    if (this.#isDown) throw failed(what);
    const fault = this.#faults.next(fits, (kind) => kind !== 'stale' || !this.#wasStale);
    // Each call gives others a turn, as any real storage does.
    await turns(fault?.kind === 'slow' ? fault.amount : 0);
    // A listing that is late once: of one that is always late nobody could tell what there is.
    this.#wasStale ||= fault?.kind === 'stale';
    this.#isDown ||= fault?.kind === 'down';
    if (fault?.kind === 'fail' || fault?.kind === 'down') throw failed(what);
    if (fault?.kind === 'full') throw full(what);
    return fault;
  }

  async #drop<T>(keys: readonly string[], drop: () => Promise<T>): Promise<T> {
    const sizes = await this.#inner.sizes(keys);
    keys.forEach((key, i) => sizes[i] !== undefined && this.#gone.set(key, { key, size: sizes[i] }));
    for (const oldest of [...this.#gone.keys()].slice(0, -8)) this.#gone.delete(oldest);
    return drop();
  }

  #faultyBins(bins: Bins): Bins {
    return {
      open: async (id) => {
        const fault = await this.strike(`open bin ${id}`, WRITES);
        await bins.open(id);
        if (fault?.kind === 'lost' || fault?.kind === 'cut') throw failed(`open bin ${id}`);
      },
      take: async (id, keys) => {
        const fault = await this.strike(`take into ${id}`, GROUPS);
        const taken = await bins.take(id, fault?.kind === 'partly' ? keys.slice(0, keys.length >> 1) : keys);
        if (fault?.kind === 'lost' || fault?.kind === 'partly') throw failed(`take into ${id}`);
        return taken;
      },
      empty: async (id, options: EmptyOptions = {}) => {
        const fault = await this.strike(`empty ${id}`, GROUPS);
        await bins.empty(id, options);
        if (fault?.kind === 'lost' || fault?.kind === 'partly') throw failed(`empty ${id}`);
      },
      close: async (id) => {
        const fault = await this.strike(`close ${id}`, GROUPS);
        await bins.close(id);
        if (fault?.kind === 'lost' || fault?.kind === 'partly') throw failed(`close ${id}`);
      },
      list: async () => {
        await this.strike('list bins', LOOKS);
        return bins.list();
      },
    };
  }
}

async function* begin(bytes: Buffer, breaks: boolean): AsyncGenerator<Buffer> {
  yield bytes;
  if (breaks) throw failed('read on');
}

class FaultyBatch implements Batch {
  readonly #backend: FaultyBackend;
  readonly #inner: Backend;
  readonly #batch: Batch;
  #additions: { staged: FaultyStaged; key: string; onConflict: ConflictPolicy }[] = [];

  constructor(backend: FaultyBackend, inner: Backend, batch: Batch) {
    this.#backend = backend;
    this.#inner = inner;
    this.#batch = batch;
  }

  async stage(to?: { key: string; size: number }): Promise<Staged> {
    await this.#backend.strike('stage', WRITES);
    return new FaultyStaged(this.#backend, await this.#batch.stage(to));
  }

  async stageBytes(bytes: Uint8Array): Promise<Staged> {
    const fault = await this.#backend.strike('stage', WRITES);
    const staged = await this.#batch.stageBytes(fault?.kind === 'cut' ? bytes.subarray(0, bytes.length >> 1) : bytes);
    if (fault?.kind === 'cut' || fault?.kind === 'lost') throw failed('stage');
    return new FaultyStaged(this.#backend, staged);
  }

  add(staged: Staged, key: string, onConflict: ConflictPolicy): void {
    this.#additions.push({ staged: staged as FaultyStaged, key, onConflict });
  }

  async flush(): Promise<ReadonlySet<string>> {
    const additions = this.#additions.splice(0);
    const fault = await this.#backend.strike('publish', FLUSHES);
    const kind = fault?.kind;
    const now = kind === 'partly' ? additions.slice(0, additions.length >> 1) : additions;
    for (const { staged, key, onConflict } of now) this.#batch.add(staged.inner, key, onConflict);
    const existed = await this.#batch.flush();
    if (kind === 'lost' || kind === 'partly') throw failed('publish');
    if (kind === 'again') return new Set(additions.map(({ key }) => key));
    const created = additions.filter(({ key }) => !existed.has(key));
    if (kind === 'short-put' && created.length > 0)
      await this.#cutOne(created[(fault?.amount ?? 0) % created.length]!.key);
    return existed;
  }

  close(): Promise<void> {
    this.#additions = [];
    return this.#backend.strike('remove the staging place', GROUPS).then(() => this.#batch.close());
  }

  async #cutOne(key: string): Promise<void> {
    const bytes = await this.#inner.get(key);
    // In one step: between two another writer might create the key, which no storage lets happen to one that it has.
    await this.#inner.put(key, bytes.subarray(0, bytes.length >> 1), { overwrite: true });
  }
}

class FaultyStaged implements Staged {
  readonly inner: Staged;
  readonly #backend: FaultyBackend;

  constructor(backend: FaultyBackend, inner: Staged) {
    this.#backend = backend;
    this.inner = inner;
  }

  get size(): number {
    return this.inner.size;
  }

  async write(chunk: Uint8Array): Promise<void> {
    const fault = await this.#backend.strike('write', WRITES);
    await this.inner.write(fault?.kind === 'cut' ? chunk.subarray(0, chunk.length >> 1) : chunk);
    if (fault?.kind === 'cut' || fault?.kind === 'lost') throw failed('write');
  }

  async end(): Promise<void> {
    await this.#backend.strike('write', WRITES);
    await this.inner.end();
  }

  discard(): Promise<void> {
    return this.inner.discard();
  }
}
