import { hash } from 'node:crypto';
import { z } from 'zod';
import { SkepError } from '../../errors.ts';

/** The version that this skep writes, and the only one that it reads. */
export const REPOSITORY_FORMAT = 1;

/** `sealed`: contents, listings and details are encrypted, names are keyed. */
const FEATURES: readonly string[] = ['sealed'];

const descriptorSchema = z.object({
  format: z.literal(REPOSITORY_FORMAT),
  id: z.string().regex(/^[0-9a-f]{32}$/),
  createdAt: z.iso.datetime(),
  cluster: z.strictObject({ name: z.string().min(1), id: z.string().min(1) }),
  /** What a reader must know beside the format: see `FEATURES`. */
  features: z.array(z.string()),
  /** Of the members before it; absent in repositories that older versions have made. */
  sha256: z.string().optional(),
});

/** Content of `skep.json`. */
export type Descriptor = Omit<z.infer<typeof descriptorSchema>, 'sha256'>;

export function encodeDescriptor(descriptor: Descriptor): Buffer {
  return Buffer.from(`${JSON.stringify({ ...descriptor, sha256: sumOf(descriptor) }, null, 2)}\n`);
}

/** A flipped bit may leave another id, name or feature that looks right. */
function sumOf({ format, id, createdAt, cluster: { name, id: clusterId }, features }: Descriptor): string {
  return hash('sha256', JSON.stringify([format, id, createdAt, name, clusterId, features]));
}

/** Errors: `repository-damaged` (not what skep writes), `repository-unsupported` (another format, an unknown feature). */
export function decodeDescriptor(bytes: Uint8Array): Descriptor {
  const json = parseObject(bytes);
  if (typeof json['format'] === 'number' && json['format'] !== REPOSITORY_FORMAT) {
    throw new SkepError(
      'repository-unsupported',
      `the repository has format ${json['format']}, not ${REPOSITORY_FORMAT}`,
    );
  }
  const parsed = descriptorSchema.safeParse(json);
  if (!parsed.success) throw damaged(z.prettifyError(parsed.error));
  const { sha256, ...descriptor } = parsed.data;
  if (sha256 !== undefined && sha256 !== sumOf(descriptor)) throw damaged('its checksum differs');
  const unknown = descriptor.features.filter((feature) => !FEATURES.includes(feature));
  if (unknown.length > 0) {
    const features = unknown.join(', ');
    throw new SkepError('repository-unsupported', `the repository uses features that are not known here: ${features}`);
  }
  return descriptor;
}

function parseObject(bytes: Uint8Array): Record<string, unknown> {
  let json: unknown;
  try {
    json = JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch (cause) {
    throw damaged('not JSON', cause);
  }
  if (typeof json !== 'object' || json === null) throw damaged('not an object');
  return json as Record<string, unknown>;
}

function damaged(why: string, cause?: unknown): SkepError {
  return new SkepError('repository-damaged', `skep.json cannot be read: ${why}`, { cause });
}
