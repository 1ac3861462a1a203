import { SkepError } from '../../../errors.ts';
import { isContentKey } from '../../prune/key-set.ts';
import type { Backend, Batch, Staged, StoredKey } from '../backend.ts';
import { relayRequest, type RelayRequest, type RelayValues } from './messages.ts';

/** Keys that one answer to `list` has at most. */
const KEYS_AT_ONCE = 10_000;

/** What an agent may do to a key, or to all below a prefix. */
type Act = 'read' | 'write' | 'overwrite' | 'delete' | 'stage' | 'publish';

/** What one agent asks of the controller's backend, done there. What it has begun and not ended goes with `end`. */
export class RelayServer {
  readonly #backend: Backend;
  readonly #allows: (act: Act, key: string) => boolean;
  readonly #batches = new Map<string, { batch: Batch; staged: Map<number, Staged> }>();
  readonly #lists = new Map<number, AsyncIterator<StoredKey>>();
  #ended = false;

  /** Without `allows` an agent may do what a backup and a restore need, and nothing else. */
  constructor(backend: Backend, allows: (act: Act, key: string) => boolean = allowsAgent) {
    this.#backend = backend;
    this.#allows = allows;
  }

  /** Errors: those of the backend; `protocol-error` for what is not a request, or not allowed. */
  async handle(raw: unknown, bytes: Buffer | undefined): Promise<{ value: unknown; bytes?: Buffer }> {
    const parsed = relayRequest.safeParse(raw);
    if (!parsed.success) throw new SkepError('protocol-error', 'not a question to a repository');
    if (this.#ended) throw new SkepError('cancelled', 'the conversation with this node has ended');
    const request = parsed.data;
    if (request.do !== 'get') return { value: await this.#answer(request, bytes ?? Buffer.alloc(0)) };
    this.#check('read', request.key);
    return { value: null, bytes: await this.#backend.get(request.key, request.range) };
  }

  /** Drops what was staged and not published. */
  async end(): Promise<void> {
    this.#ended = true;
    await Promise.allSettled([...this.#batches.values()].map(({ batch }) => batch.close()));
    for (const list of this.#lists.values()) await list.return?.();
  }

  async #answer(r: Exclude<RelayRequest, { do: 'get' }>, bytes: Buffer): Promise<RelayValues[RelayRequest['do']]> {
    const backend = this.#backend;
    switch (r.do) {
      case 'open':
        return { location: backend.location, keyFirst: backend.keyFirst === true };
      case 'put':
        this.#check(r.overwrite === true ? 'overwrite' : 'write', r.key);
        return backend.put(r.key, bytes, { overwrite: r.overwrite === true });
      case 'append':
        this.#check('overwrite', r.key);
        await backend.append(r.key, bytes);
        return null;
      case 'sizes':
        for (const key of r.keys) this.#check('read', key);
        return (await backend.sizes(r.keys)).map((size) => size ?? null);
      case 'names':
        this.#check('read', r.prefix);
        return [...(await backend.names(r.prefix))].map(([name, size]): [string, number | null] => [
          name,
          size ?? null,
        ]);
      case 'marks':
        for (const prefix of r.prefixes) this.#check('read', prefix);
        return ((await backend.marks?.(r.prefixes)) ?? r.prefixes.map(() => undefined)).map((mark) => mark ?? null);
      case 'list':
        this.#check('read', r.prefix);
        return this.#list(r.prefix, r.list);
      case 'endList':
        await this.#lists.get(r.list)?.return?.();
        this.#lists.delete(r.list);
        return null;
      case 'delete':
        for (const key of r.keys) this.#check('delete', key);
        if (r.keys.length === 1) return Number(await backend.delete(r.keys[0] as string));
        await backend.deleteMany(r.keys);
        return r.keys.length;
      case 'deletePrefix':
        this.#check('delete', r.prefix);
        await backend.deletePrefix(r.prefix);
        return null;
      default:
        return this.#inBatch(r, bytes);
    }
  }

  async #inBatch(r: Extract<RelayRequest, { batch: string }>, bytes: Buffer): Promise<string[] | null> {
    this.#check('stage', r.batch);
    const { batch, staged } = this.#batch(r.batch);
    switch (r.do) {
      case 'flush':
        return [...(await batch.flush())];
      case 'close':
        this.#batches.delete(r.batch);
        await batch.close();
        return null;
      case 'stage':
        if (r.to !== undefined) this.#check('publish', r.to.key);
        staged.set(r.staged, await batch.stage(r.to));
        return null;
      case 'stageBytes':
        staged.set(r.staged, await batch.stageBytes(bytes));
        return null;
      case 'discard':
        await staged.get(r.staged)?.discard();
        staged.delete(r.staged);
        return null;
    }
    const content = staged.get(r.staged);
    if (content === undefined) throw new SkepError('protocol-error', `nothing is staged under ${r.staged}`);
    if (r.do === 'write') await content.write(bytes);
    else if (r.do === 'end') await content.end();
    else {
      this.#check('publish', r.key);
      batch.add(content, r.key, r.onConflict);
      staged.delete(r.staged);
    }
    return null;
  }

  #batch(prefix: string): { batch: Batch; staged: Map<number, Staged> } {
    const open = this.#batches.get(prefix) ?? { batch: this.#backend.openBatch(prefix), staged: new Map() };
    this.#batches.set(prefix, open);
    return open;
  }

  async #list(prefix: string, list: number): Promise<RelayValues['list']> {
    const iterator = this.#lists.get(list) ?? this.#backend.list(prefix)[Symbol.asyncIterator]();
    this.#lists.set(list, iterator);
    const keys: StoredKey[] = [];
    while (keys.length < KEYS_AT_ONCE) {
      const next = await iterator.next();
      if (next.done === true) {
        this.#lists.delete(list);
        return { keys, more: false };
      }
      keys.push(next.value);
    }
    return { keys, more: true };
  }

  #check(act: Act, key: string): void {
    const isWithin = !key.startsWith('/') && !key.split('/').some((part) => part === '.' || part === '..');
    if (isWithin && this.#allows(act, key)) return;
    throw new SkepError('protocol-error', `a node may not ${act} ${key}`);
  }
}

/**
 * What a node needs: it stages below `incoming/`, publishes objects and pieces, notes what is damaged. Leases, manifests, keys and the
 * deletion of anything else are the controller's.
 */
function allowsAgent(act: Act, key: string): boolean {
  switch (act) {
    case 'read':
      return true;
    case 'write':
      return /^(?:damaged|renewed|incoming)\/./.test(key);
    case 'overwrite':
      return false;
    case 'delete':
      return /^(?:damaged|incoming)\/./.test(key);
    case 'stage':
      return /^incoming\/[^/]+\/./.test(key);
    case 'publish':
      return isContentKey(key);
  }
}
