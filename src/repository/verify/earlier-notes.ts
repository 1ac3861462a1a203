import { SkepError } from '../../errors.ts';
import { throwIfCancelled } from '../../cancel.ts';
import { clearDamage, isOfPresence, notedDamage, notedKind } from '../damage/notes.ts';
import { type Form, renewalsOf } from '../damage/renewals.ts';
import { listLeases } from '../lease/index.ts';
import { readManifest, tellsNothing } from '../manifests.ts';
import { neededKeys } from '../needed-keys.ts';
import type { Vault } from '../sealing/keyring.ts';

/** What a verify has seen of a key that is as its inventory expects; `sha256` where its bytes were read. */
interface Seen {
  size?: number;
  sha256?: string;
}

/**
 * The notes of damage that were there before a verify looked at anything: only those can be untrue by what it sees. One that
 * comes meanwhile may tell of what was damaged since.
 */
export class EarlierNotes {
  readonly #vault: Vault;
  readonly #keys: ReadonlySet<string>;
  /** By key. What needs no comparison with other backups has neither size nor hash. */
  readonly #right = new Map<string, Seen>();
  /** Right only by a renewal of which it is not known who wrote it. */
  readonly #unproven = new Set<string>();

  constructor(vault: Vault, keys: ReadonlySet<string>) {
    this.#vault = vault;
    this.#keys = keys;
  }

  static async of(vault: Vault): Promise<EarlierNotes> {
    return new EarlierNotes(vault, await notedDamage(vault.backend));
  }

  /** Its bytes were read, and its name alone tells that they are right. */
  sawContent(key: string): void {
    if (this.#keys.has(key)) this.#right.set(key, {});
  }

  /** It has the size, or where `sha256` is given the bytes, that its inventory expects, or else those of a renewal. */
  sawStored(key: string, seen: Seen, isRenewal: boolean): void {
    if (!this.#keys.has(key)) return;
    if (isRenewal && !this.#provesRenewals) this.#unproven.add(key);
    this.#right.set(key, seen);
  }

  /**
   * Removes the notes of what was seen to be right and has no finding, and tells how many. `others` are the backups that this
   * verify did not look at: they may expect other bytes under the same key.
   */
  async takeBack(wrong: ReadonlySet<string>, others: readonly string[], signal?: AbortSignal): Promise<TakenBack> {
    const right = new Map([...this.#right].filter(([key]) => !wrong.has(key) && !this.#unproven.has(key)));
    if (right.size === 0) return { takenBack: 0, notes: [] };
    try {
      const untrue = await this.#untrue(right, others, signal);
      if (untrue.length === 0) return { takenBack: 0, notes: [] };
      // Until its renewal is noted, what it puts in the place of damaged bytes is known by the note alone.
      const writer = (await listLeases(this.#vault.backend)).find(({ kind }) => kind === 'write');
      if (writer !== undefined) {
        const by = `${writer.owner.run} on ${writer.owner.host}`;
        return left(
          `${untrue.length} notes of damage that is none any more stay while ${by} writes: verify again later`,
        );
      }
      await clearDamage(this.#vault.backend, untrue);
      return { takenBack: untrue.length, notes: [] };
    } catch (error) {
      if (!(error instanceof SkepError) || error.code === 'cancelled') throw error;
      return left(`notes of damage that is none any more could not be taken back: ${error.message}`);
    }
  }

  async #untrue(right: Map<string, Seen>, others: readonly string[], signal?: AbortSignal): Promise<string[]> {
    for (const [key, seen] of right) {
      if (seen.size === undefined) continue;
      const kind = await notedKind(this.#vault.backend, key);
      // Of what was wrong with its content a size tells nothing.
      if (kind === 'none' || !isOfPresence(kind)) right.delete(key);
    }
    const compared = new Map([...right].filter(([, seen]) => seen.size !== undefined || seen.sha256 !== undefined));
    if (compared.size > 0) {
      for (const key of await this.#wrongFor(compared, others, signal)) right.delete(key);
    }
    return [...right.keys()];
  }

  /** Keys that other backups expect otherwise, or may. */
  async #wrongFor(
    right: ReadonlyMap<string, Seen>,
    others: readonly string[],
    signal?: AbortSignal,
  ): Promise<Iterable<string>> {
    const wrong = new Set<string>();
    const walked = new Set<string>();
    for (const id of others) {
      try {
        for await (const { key, stored } of neededKeys(this.#vault, await readManifest(this.#vault, id), walked)) {
          throwIfCancelled(signal);
          const seen = right.get(key);
          if (seen === undefined || stored === undefined) continue;
          const form = { storedSize: stored.size, storedSha256: stored.sha256 };
          if (!fits(seen, form) && !(await this.#isRenewed(key, seen))) wrong.add(key);
        }
      } catch (error) {
        if (!tellsNothing(error)) throw error;
        if (error.code.startsWith('object-')) return right.keys();
      }
    }
    return wrong;
  }

  async #isRenewed(key: string, seen: Seen): Promise<boolean> {
    return this.#provesRenewals && (await renewalsOf(this.#vault, key)).some((form) => fits(seen, form));
  }

  /** In a sealed repository anyone may write one: it has a MAC, which only a holder of the naming key can check. */
  get #provesRenewals(): boolean {
    const { sealed, namingKey } = this.#vault.keyring;
    return !sealed || namingKey !== undefined;
  }
}

export interface TakenBack {
  takenBack: number;
  /** Why notes had to stay. */
  notes: string[];
}

function fits({ size, sha256 }: Seen, form: Form): boolean {
  return sha256 === undefined ? size === form.storedSize : sha256 === form.storedSha256;
}

function left(note: string): TakenBack {
  return { takenBack: 0, notes: [note] };
}
