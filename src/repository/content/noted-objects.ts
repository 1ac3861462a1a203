import { SkepError } from '../../errors.ts';
import type { DamageNotes } from '../damage/notes.ts';
import { type Encoding, objectKey } from '../format/names.ts';
import { KnownForms } from '../known-forms.ts';
import type { Vault } from '../sealing/keyring.ts';
import { inspectStored } from './find-object.ts';

/** How often what was found damaged is read before that is believed. */
const LOOKS = 2;

/** Objects that a verify, or a backup, has noted as damaged. */
export class NotedObjects {
  readonly #vault: Vault;
  readonly #notes: DamageNotes;
  /** Keys that were seen to be damaged. */
  readonly #damaged = new Set<string>();
  #known: Promise<KnownForms> | undefined;

  constructor(vault: Vault, notes: DamageNotes) {
    this.#vault = vault;
    this.#notes = notes;
  }

  /** In which encoding an object was found damaged and still is, if so: it is stored anew under the very key that backups refer to. */
  async encodingOf(name: string): Promise<Encoding | undefined> {
    const encoding = await this.#notes.encodingOf(name, this.#vault.keyring.encodings);
    if (encoding === undefined) return undefined;
    const key = objectKey(name, encoding);
    if (!this.#damaged.has(key) && (await this.#isWhole(name, encoding))) {
      // A verify that read badly has noted it. Were it written over, backups would rely on the new bytes alone.
      await this.#notes.clear(key);
      return undefined;
    }
    this.#damaged.add(key);
    return encoding;
  }

  /** What backups expect; read when it is first asked for. */
  knownForms(): Promise<KnownForms> {
    return (this.#known ??= KnownForms.of(this.#vault));
  }

  /** Whether what is stored is what backups expect. */
  async #isWhole(name: string, encoding: Encoding): Promise<boolean> {
    for (let attempt = 1; attempt <= LOOKS; attempt++) {
      try {
        const form = await inspectStored(this.#vault, name, encoding);
        if (form === undefined) return false;
        return encoding === 'raw' || (await this.knownForms()).has(objectKey(name, encoding), form.storedSha256);
      } catch (error) {
        // A disk that cannot read it does so each time.
        if (!(error instanceof SkepError) || error.code !== 'repository-failed') throw error;
      }
    }
    return false;
  }
}
