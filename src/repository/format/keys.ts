import { hash } from 'node:crypto';
import { z } from 'zod';
import { SkepError } from '../../errors.ts';
import { NAME_PATTERN } from './names.ts';

const KEYS_PATTERN = /^keys\/([1-9]\d{0,8})\.json$/;

const keysSchema = z.object({
  format: z.literal(1),
  repository: z.string().regex(/^[0-9a-f]{32}$/),
  generation: z.number().int().positive(),
  createdAt: z.iso.datetime(),
  recipients: z.array(z.string().regex(/^age1[0-9a-z]+$/)).min(1),
  naming: z.base64().min(1),
  mac: z.string().regex(NAME_PATTERN),
  /** Of the members before it; absent where an older version has written it. */
  sha256: z.string().optional(),
});

/** Content of `keys/<generation>.json`. */
export interface Keys {
  format: 1;
  /** The `id` of `skep.json`. */
  repository: string;
  /** The highest one tells whom new contents are sealed to. */
  generation: number;
  createdAt: string;
  /** `age1…`. */
  recipients: string[];
  /** The naming key as 64 hex digits, sealed to the recipients, in base64. */
  naming: string;
  /** `keysText` under the naming key: who has only the storage cannot bring recipients in. */
  mac: string;
}

export function keysKey(generation: number): string {
  return `keys/${generation}.json`;
}

/** Undefined for a key of something else. */
export function generationOf(key: string): number | undefined {
  const digits = KEYS_PATTERN.exec(key)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

/** What `mac` is made of. */
export function keysText(keys: Pick<Keys, 'repository' | 'generation' | 'recipients'>): string {
  return `keys ${keys.repository} ${keys.generation} ${keys.recipients.join(',')}`;
}

export function encodeKeys(keys: Keys): Buffer {
  return Buffer.from(`${JSON.stringify({ ...keys, sha256: sumOf(keys) }, null, 2)}\n`);
}

/** `mac` tells nothing to who has no naming key, and nothing of `naming`. */
function sumOf({ format, repository, generation, createdAt, recipients, naming, mac }: Keys): string {
  return hash('sha256', JSON.stringify([format, repository, generation, createdAt, recipients, naming, mac]));
}

/** A generation as it is stored. */
export interface StoredKeys {
  generation: number;
  /** What it says; undefined where it cannot be read. */
  keys: Keys | undefined;
  /** `repository-damaged` where it is not what was written. */
  damage: SkepError | undefined;
}

export function decodeKeys(bytes: Uint8Array, generation: number): StoredKeys {
  let json: unknown;
  try {
    json = JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch (cause) {
    return { generation, keys: undefined, damage: damagedKeys(generation, 'is not JSON', cause) };
  }
  const parsed = keysSchema.safeParse(json);
  if (!parsed.success) {
    const why = `cannot be read: ${z.prettifyError(parsed.error)}`;
    return { generation, keys: undefined, damage: damagedKeys(generation, why) };
  }
  const { sha256, ...keys } = parsed.data;
  if (keys.generation !== generation) {
    return { generation, keys: undefined, damage: damagedKeys(generation, `is generation ${keys.generation}`) };
  }
  const differs = sha256 !== undefined && sha256 !== sumOf(keys);
  return { generation, keys, damage: differs ? damagedKeys(generation, 'has another checksum') : undefined };
}

export function damagedKeys(generation: number, why: string, cause?: unknown): SkepError {
  const key = keysKey(generation);
  return new SkepError('repository-damaged', `${key} ${why}`, {
    hint: `Put ${key} back from a copy of the storage; if there is none, \`skep keys rotate\` writes a new generation.`,
    context: { key },
    cause,
  });
}
