import { Readable } from 'node:stream';
import { SkepError } from '../../../errors.ts';
import type { Backend, Batch, ByteRange, ConflictPolicy, Staged, StoredKey } from '../backend.ts';
import type { AskRelay, RelayRequest, RelayValues } from './messages.ts';

/** What is read or written goes in pieces of this size: a round trip each, and memory for two of them a file. */
const PIECE = 1 << 20;

type Ask = <D extends RelayRequest['do']>(
  request: RelayRequest & { do: D },
  bytes?: Uint8Array,
) => Promise<RelayValues[D]>;

/**
 * The repository of the controller, for a node that does not reach its storage: each method is a question to the controller. What
 * may be asked is the controller's to decide (`RelayServer`).
 */
export class RelayBackend implements Backend {
  readonly location: string;
  readonly keyFirst: boolean;
  readonly #asks: AskRelay;
  readonly #ask: Ask;
  #lists = 0;

  private constructor(asks: AskRelay, { location, keyFirst }: RelayValues['open']) {
    this.#asks = asks;
    this.#ask = asking(asks);
    this.location = location;
    this.keyFirst = keyFirst;
  }

  /** Errors: those of opening the storage on the controller. */
  static async open(asks: AskRelay): Promise<RelayBackend> {
    return new RelayBackend(asks, await asking(asks)({ do: 'open' }));
  }

  put(
    key: string,
    bytes: Uint8Array,
    { overwrite = false }: { overwrite?: boolean } = {},
  ): Promise<'created' | 'exists'> {
    return this.#ask({ do: 'put', key, overwrite }, bytes);
  }

  async append(key: string, bytes: Uint8Array): Promise<void> {
    await this.#ask({ do: 'append', key }, bytes);
  }

  async get(key: string, range?: ByteRange): Promise<Buffer> {
    const first = { start: range?.start ?? 0, end: Math.min(range?.end ?? Infinity, (range?.start ?? 0) + PIECE) };
    const pieces = [await this.#piece(key, first)];
    if (pieces[0]?.length === PIECE) {
      const end = range?.end ?? (await this.#sizeOf(key));
      for await (const piece of this.#pieces(key, { start: first.end, end })) pieces.push(piece);
    }
    return pieces.length === 1 ? (pieces[0] as Buffer) : Buffer.concat(pieces);
  }

  async read(key: string, range?: ByteRange): Promise<Readable> {
    const size = await this.#sizeOf(key);
    const whole = { start: range?.start ?? 0, end: Math.min(range?.end ?? size, size) };
    return Readable.from(this.#pieces(key, whole), { objectMode: false });
  }

  async sizes(keys: readonly string[]): Promise<(number | undefined)[]> {
    return (await this.#ask({ do: 'sizes', keys: [...keys] })).map((size) => size ?? undefined);
  }

  async names(prefix: string): Promise<ReadonlyMap<string, number | undefined>> {
    return new Map((await this.#ask({ do: 'names', prefix })).map(([name, size]) => [name, size ?? undefined]));
  }

  async marks(prefixes: readonly string[]): Promise<(string | undefined)[]> {
    return (await this.#ask({ do: 'marks', prefixes: [...prefixes] })).map((mark) => mark ?? undefined);
  }

  async *list(prefix: string): AsyncIterable<StoredKey> {
    const list = this.#lists++;
    let more = true;
    try {
      while (more) {
        const answer = await this.#ask({ do: 'list', prefix, list });
        more = answer.more;
        for (const { key, size, modifiedMs } of answer.keys) {
          yield { key, size, ...(modifiedMs === undefined ? {} : { modifiedMs }) };
        }
      }
    } finally {
      if (more) await this.#ask({ do: 'endList', list }).catch(() => null);
    }
  }

  async delete(key: string): Promise<boolean> {
    return (await this.#ask({ do: 'delete', keys: [key] })) > 0;
  }

  async deleteMany(keys: readonly string[], fence?: () => void): Promise<void> {
    fence?.();
    await this.#ask({ do: 'delete', keys: [...keys] });
  }

  async deletePrefix(prefix: string): Promise<void> {
    await this.#ask({ do: 'deletePrefix', prefix });
  }

  openBatch(prefix: string): Batch {
    return new RelayBatch(this.#ask, prefix);
  }

  async #piece(key: string, range: ByteRange): Promise<Buffer> {
    return (await this.#asks({ do: 'get', key, range })).bytes ?? Buffer.alloc(0);
  }

  async #sizeOf(key: string): Promise<number> {
    const [size] = await this.sizes([key]);
    if (size === undefined) throw new SkepError('object-missing', `nothing there to read ${key}`, { context: { key } });
    return size;
  }

  /** The next one is on its way while the caller uses the present one. */
  async *#pieces(key: string, { start, end }: ByteRange): AsyncGenerator<Buffer> {
    if (start >= end) return;
    const ask = (from: number) => this.#piece(key, { start: from, end: Math.min(from + PIECE, end) });
    let next = ask(start);
    for (let from = start; ;) {
      const piece = await next;
      from += piece.length;
      // Fewer than there were: who reads notices that something is missing.
      const isLast = from >= end || piece.length === 0;
      if (!isLast) {
        next = ask(from);
        next.catch(() => undefined);
      }
      yield piece;
      if (isLast) return;
    }
  }
}

class RelayBatch implements Batch {
  readonly #ask: Ask;
  readonly #prefix: string;
  #next = 0;
  /** Those of `add`, whose answers nobody has waited for. */
  #adding: Promise<unknown>[] = [];

  constructor(ask: Ask, prefix: string) {
    this.#ask = ask;
    this.#prefix = prefix;
  }

  async stage(to?: { key: string; size: number }): Promise<Staged> {
    const place = this.#place();
    await this.#ask({ do: 'stage', ...place, ...(to === undefined ? {} : { to }) });
    return new RelayStaged(this.#ask, place);
  }

  async stageBytes(bytes: Uint8Array): Promise<Staged> {
    const place = this.#place();
    await this.#ask({ do: 'stageBytes', ...place }, bytes);
    return new RelayStaged(this.#ask, place, bytes.length);
  }

  add(staged: Staged, key: string, onConflict: ConflictPolicy): void {
    if (!(staged instanceof RelayStaged)) throw new SkepError('internal', 'staged by another backend');
    const adding = this.#ask({ do: 'add', ...staged.place, key, onConflict });
    // `flush` tells of it.
    adding.catch(() => undefined);
    this.#adding.push(adding);
  }

  async flush(): Promise<ReadonlySet<string>> {
    await Promise.all(this.#adding.splice(0));
    return new Set(await this.#ask({ do: 'flush', batch: this.#prefix }));
  }

  async close(): Promise<void> {
    await Promise.allSettled(this.#adding.splice(0));
    await this.#ask({ do: 'close', batch: this.#prefix });
  }

  #place(): Place {
    return { batch: this.#prefix, staged: this.#next++ };
  }
}

interface Place {
  batch: string;
  staged: number;
}

class RelayStaged implements Staged {
  readonly place: Place;
  readonly #ask: Ask;
  #size: number;
  #piece: Buffer | undefined;
  #filled = 0;
  #sending: Promise<unknown> = Promise.resolve();

  constructor(ask: Ask, place: Place, size = 0) {
    this.#ask = ask;
    this.place = place;
    this.#size = size;
  }

  get size(): number {
    return this.#size;
  }

  async write(chunk: Uint8Array): Promise<void> {
    this.#size += chunk.length;
    this.#piece ??= Buffer.allocUnsafeSlow(PIECE);
    for (let done = 0; done < chunk.length;) {
      const part = chunk.subarray(done, done + PIECE - this.#filled);
      this.#piece.set(part, this.#filled);
      this.#filled += part.length;
      done += part.length;
      if (this.#filled === PIECE) await this.#send();
    }
  }

  async end(): Promise<void> {
    if (this.#filled > 0) await this.#send();
    this.#piece = undefined;
    await this.#sending;
    await this.#ask({ do: 'end', ...this.place });
  }

  async discard(): Promise<void> {
    await this.#sending.catch(() => undefined);
    await this.#ask({ do: 'discard', ...this.place });
  }

  /** One piece is under way while the next one is filled. */
  async #send(): Promise<void> {
    await this.#sending;
    this.#sending = this.#ask({ do: 'write', ...this.place }, (this.#piece as Buffer).subarray(0, this.#filled));
    // The next call tells of it.
    this.#sending.catch(() => undefined);
    this.#filled = 0;
  }
}

function asking(asks: AskRelay): Ask {
  return async (request, bytes) => (await asks(request, bytes)).value as never;
}
