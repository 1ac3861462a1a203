import { z } from 'zod';
import type { Backend } from '../backend/backend.ts';
import { damageKey, type Encoding, objectKey } from '../format/names.ts';
import { getOrEmpty } from '../manifests.ts';
import { isContentKey } from '../prune/key-set.ts';

const PREFIX = damageKey('');
const OF_PRESENCE: ReadonlySet<string> = new Set(['object-missing', 'object-truncated', 'object-oversized']);
const noteSchema = z.object({ kind: z.string() });

/** Keys of objects and pieces that a verify has found damaged and that nobody has stored anew since. */
export async function notedDamage(backend: Backend): Promise<Set<string>> {
  const keys = new Set<string>();
  for await (const { key } of backend.list(PREFIX)) {
    const damaged = key.slice(PREFIX.length);
    if (isContentKey(damaged)) keys.add(damaged);
  }
  return keys;
}

/** May be repeated: the first note stays. */
export async function noteDamage(backend: Backend, key: string, why: object): Promise<'created' | 'exists'> {
  return backend.put(damageKey(key), noteOf(why));
}

/** In the place of the note that is there. */
export async function noteDamageAnew(backend: Backend, key: string, why: object): Promise<void> {
  await backend.put(damageKey(key), noteOf(why), { overwrite: true });
}

/** What a note says was found: its `kind`; `unknown` where it cannot be read, `none` where there is no note. */
export async function notedKind(backend: Backend, key: string): Promise<string> {
  const bytes = await getOrEmpty(backend, damageKey(key));
  if (bytes === undefined) return 'none';
  try {
    return noteSchema.parse(JSON.parse(bytes.toString('utf8'))).kind;
  } catch {
    return 'unknown';
  }
}

/** Whether such a note tells of nothing but a key that is not there, or has another size. */
export function isOfPresence(kind: string): boolean {
  return OF_PRESENCE.has(kind);
}

/** Removes notes of what is not damaged any more, or is gone. */
export async function clearDamage(backend: Backend, keys: readonly string[]): Promise<void> {
  await backend.deleteMany(keys.map(damageKey));
}

/** The notes as they were when they were first asked for, without those that were cleared here since. */
export class DamageNotes {
  readonly #backend: Backend;
  #keys: Promise<Set<string>> | undefined;

  constructor(backend: Backend) {
    this.#backend = backend;
  }

  async has(key: string): Promise<boolean> {
    return (await this.#load()).has(key);
  }

  /** In which encoding an object was found damaged, if it was. */
  async encodingOf(name: string, encodings: readonly Encoding[]): Promise<Encoding | undefined> {
    const keys = await this.#load();
    if (keys.size === 0) return undefined;
    return encodings.find((encoding) => keys.has(objectKey(name, encoding)));
  }

  /** Before it is stored anew: should that end half way, the next writer does it again. */
  async add(key: string, why: object): Promise<void> {
    const keys = await this.#load();
    if (keys.has(key)) return;
    await noteDamage(this.#backend, key, why);
    keys.add(key);
  }

  async clear(key: string): Promise<void> {
    if ((await this.#load()).delete(key)) await clearDamage(this.#backend, [key]);
  }

  #load(): Promise<Set<string>> {
    return (this.#keys ??= notedDamage(this.#backend));
  }
}

function noteOf(why: object): Buffer {
  return Buffer.from(`${JSON.stringify(why)}\n`);
}
