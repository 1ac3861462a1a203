import { createHash, hash } from 'node:crypto';
import { SkepError } from '../../errors.ts';
import type { Backend, Batch, Staged } from '../backend/backend.ts';
import { checkKept } from '../check-kept.ts';
import { throwIfCancelled } from '../../cancel.ts';
import { DamageNotes } from '../damage/notes.ts';
import { decompressPiece, pieceHash } from '../format/piece.ts';
import type { NeededKey } from '../needed-keys.ts';
import { hashOf } from '../verify/check-objects.ts';
import type { KnownForms } from '../known-forms.ts';

/** Up to this size a key is read in one call. */
const SMALL = 256 << 10;
const PARALLEL = 4;
/** What is staged is published when it is so much or so old, while more is staged: a killed copy has lost little. */
const PUBLISH_MS = 10_000;
const FLUSH_KEYS = 4096;
const FLUSH_BYTES = 512 * 1024 ** 2;

/** Why a key of the source cannot be copied. */
export interface CopyDamage {
  kind: 'object-missing' | 'object-truncated' | 'object-oversized' | 'hash-mismatch';
  key: string;
  message: string;
}

export interface CopyTotals {
  keys: number;
  /** Stored bytes of all keys. */
  bytes: number;
  newKeys: number;
  newBytes: number;
}

/** Brings keys from one storage to another as they are stored, each checked on the way by what names it or what an inventory says. */
export class StoredCopier {
  readonly totals: CopyTotals = { keys: 0, bytes: 0, newKeys: 0, newBytes: 0 };
  /** What was not copied. */
  readonly damages: CopyDamage[] = [];
  /** Keys that the target has in other bytes: perhaps another form of the same content, which backups there rely on. */
  readonly otherForms: string[] = [];
  readonly #source: Backend;
  readonly #target: Backend;
  readonly #batch: Batch;
  readonly #signal: AbortSignal | undefined;
  readonly #onBytes: (bytes: number) => void;
  /** What is staged and has a size that nothing tells later. */
  #pieces: { key: string; size: number }[] = [];
  readonly #known: KnownForms;
  /** What the next flush publishes and whose bytes its name does not tell. */
  #staged = new Map<string, NeededKey>();
  /** Of the target. */
  readonly #notes: DamageNotes;
  /** Damaged in the target and staged anew. */
  #renewed: string[] = [];
  #stagedKeys = 0;
  #stagedBytes = 0;
  #publishedAt = performance.now();
  #flushing: Promise<void> = Promise.resolve();

  constructor(
    source: Backend,
    target: Backend,
    options: {
      prefix: string;
      /** What backups of the target expect there. */
      known: KnownForms;
      signal?: AbortSignal | undefined;
      onBytes?: (bytes: number) => void;
    },
  ) {
    this.#source = source;
    this.#target = target;
    this.#batch = target.openBatch(options.prefix);
    this.#known = options.known;
    this.#notes = new DamageNotes(target);
    this.#signal = options.signal;
    this.#onBytes = options.onBytes ?? (() => undefined);
  }

  /** Distinct keys. One that the target holds as it is wanted, and that was not found damaged there, is not read from the source. */
  async copy(keys: readonly NeededKey[]): Promise<void> {
    const there = await this.#target.sizes(keys.map(({ key }) => key));
    for (const [i, { key }] of keys.entries()) if (await this.#notes.has(key)) there[i] = undefined;
    const lacking: NeededKey[] = [];
    for (const [i, needed] of keys.entries()) {
      const { stored } = needed;
      const found = there[i];
      const lacks = stored === undefined || found === undefined || (tellsBytes(needed) && found !== stored.size);
      if (lacks) lacking.push(needed);
      else if (tellsBytes(needed) || (found === stored.size && (await this.#isSame(needed)))) this.#count(stored.size);
      else this.otherForms.push(needed.key);
    }
    const sizes = await this.#source.sizes(lacking.map(({ key }) => key));
    const foundAt = new Map(keys.map(({ key }, i) => [key, there[i]]));
    const next = lacking.entries();
    const work = async (): Promise<void> => {
      for (const [i, needed] of next) {
        throwIfCancelled(this.#signal);
        const size = sizes[i];
        const isThere = needed.stored === undefined && size !== undefined && foundAt.get(needed.key) === size;
        if (isThere) this.#count(size);
        else await this.#bring(needed, size);
      }
    };
    const works = await Promise.allSettled(Array.from({ length: PARALLEL }, work));
    // Only when all have ended: what one of them stages after the place was removed would stay.
    const failed = works.find((one) => one.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  }

  flush(): Promise<void> {
    this.#stagedKeys = 0;
    this.#stagedBytes = 0;
    this.#publishedAt = performance.now();
    const mine = this.#flushing.then(() => this.#flushNow());
    // The next one waits for this one; its failure goes to whoever called it.
    this.#flushing = mine.catch(() => undefined);
    return mine;
  }

  async #flushWhenDue(): Promise<void> {
    if (this.#stagedKeys === 0) return;
    const isOld = performance.now() - this.#publishedAt >= PUBLISH_MS;
    if (isOld || this.#stagedKeys >= FLUSH_KEYS || this.#stagedBytes >= FLUSH_BYTES) await this.flush();
  }

  async #flushNow(): Promise<void> {
    const [staged, pieces, renewed] = [this.#staged, this.#pieces, this.#renewed];
    this.#staged = new Map();
    this.#pieces = [];
    this.#renewed = [];
    const existed = await this.#batch.flush();
    await checkKept(
      this.#target,
      pieces.filter(({ key }) => !existed.has(key)),
    );
    // Another writer may have been first, with a form of its own.
    for (const key of existed) {
      const needed = staged.get(key);
      if (needed !== undefined && !(await this.#isSame(needed))) this.otherForms.push(key);
    }
    for (const key of renewed) await this.#notes.clear(key);
  }

  /** Removes what was staged and not published. */
  close(): Promise<void> {
    return this.#batch.close();
  }

  /** The target has it. */
  #count(size: number): void {
    this.totals.keys++;
    this.totals.bytes += size;
    this.#onBytes(size);
  }

  async #bring(needed: NeededKey, size: number | undefined): Promise<void> {
    const { key, stored } = needed;
    if (size === undefined) return this.#damaged('object-missing', key, 'it is not there');
    if (stored !== undefined && size !== stored.size) {
      const kind = size < stored.size ? 'object-truncated' : 'object-oversized';
      return this.#damaged(kind, key, `it has ${size} bytes, not ${stored.size}`);
    }
    const good = size <= SMALL ? await this.#bringSmall(needed) : await this.#bringLarge(needed, size);
    if (!good) return this.#damaged('hash-mismatch', key, 'its bytes have another hash');
    this.totals.keys++;
    this.totals.bytes += size;
    this.totals.newKeys++;
    this.totals.newBytes += size;
    await this.#flushWhenDue();
  }

  /** Whether the target holds these very bytes: who seals or compresses anew makes others of the same size. */
  async #isSame({ key, stored }: NeededKey): Promise<boolean> {
    if (stored === undefined || this.#known.has(key, stored.sha256)) return true;
    return (await hashOf(this.#target, key, stored.size, () => throwIfCancelled(this.#signal))) === stored.sha256;
  }

  async #bringSmall(needed: NeededKey): Promise<boolean> {
    const bytes = await this.#source.get(needed.key);
    if (!isRight(needed, bytes)) return false;
    await this.#add(await this.#batch.stageBytes(bytes), needed);
    this.#onBytes(bytes.length);
    return true;
  }

  async #bringLarge(needed: NeededKey, size: number): Promise<boolean> {
    const { key, stored } = needed;
    const staged = await this.#batch.stage({ key, size });
    const digest = createHash('sha256');
    try {
      for await (const chunk of await this.#source.read(key)) {
        throwIfCancelled(this.#signal);
        digest.update(chunk as Buffer);
        await staged.write(chunk as Buffer);
        this.#onBytes((chunk as Buffer).length);
      }
      if (digest.digest('hex') !== stored?.sha256) {
        await staged.discard();
        return false;
      }
      await staged.end();
    } catch (error) {
      await staged.discard();
      throw error;
    }
    await this.#add(staged, needed);
    return true;
  }

  async #add(staged: Staged, needed: NeededKey): Promise<void> {
    const { key, stored } = needed;
    const renews = await this.#notes.has(key);
    // All at once: another may flush at any time.
    this.#batch.add(staged, key, renews ? 'renew' : conflict(needed));
    if (renews) this.#renewed.push(key);
    if (stored === undefined) this.#pieces.push({ key, size: staged.size });
    else if (!tellsBytes(needed)) this.#staged.set(key, needed);
    this.#stagedKeys++;
    this.#stagedBytes += staged.size;
  }

  #damaged(kind: CopyDamage['kind'], key: string, message: string): void {
    this.damages.push({ kind, key, message });
  }
}

/** Raw bytes of another size are damage; others may be another form of the same content, which backups there rely on. */
function conflict(needed: NeededKey): 'replace' | 'fail' {
  return tellsBytes(needed) ? 'replace' : 'fail';
}

/** Whether the name says what the stored bytes must be. */
function tellsBytes({ name, stored }: NeededKey): boolean {
  return stored?.sha256 === name;
}

/** A piece of which no inventory tells the stored bytes is named by its plain ones. */
function isRight({ name, stored }: NeededKey, bytes: Buffer): boolean {
  if (stored !== undefined) return hash('sha256', bytes) === stored.sha256;
  try {
    return pieceHash(decompressPiece(bytes)) === name;
  } catch {
    return false;
  }
}

/** What stands in the way of a copy, as an error. */
export function damageFound(backup: string, damages: readonly CopyDamage[]): SkepError {
  const message = `backup ${backup} is damaged (${damages.length} findings) and was not copied`;
  const hint = `Run \`skep verify ${backup} --level data\` to see which files that hits.`;
  return new SkepError('damage-found', message, { hint, context: { backup, findings: damages.slice(0, 100) } });
}
