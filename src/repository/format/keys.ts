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
  return Buffer.from(`${JSON.stringify(keys, null, 2)}\n`);
}

/** Error: `repository-damaged`. */
export function decodeKeys(bytes: Uint8Array, generation: number): Keys {
  const key = keysKey(generation);
  const hint = `Put ${key} back from a copy of the repository.`;
  let json: unknown;
  try {
    json = JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch (cause) {
    throw new SkepError('repository-damaged', `${key} is not JSON`, { cause, hint });
  }
  const parsed = keysSchema.safeParse(json);
  if (!parsed.success) {
    throw new SkepError('repository-damaged', `${key} cannot be read: ${z.prettifyError(parsed.error)}`, { hint });
  }
  if (parsed.data.generation !== generation) {
    throw new SkepError('repository-damaged', `${key} is generation ${parsed.data.generation}`, { hint });
  }
  return parsed.data;
}
