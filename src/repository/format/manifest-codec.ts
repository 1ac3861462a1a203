import { hash } from 'node:crypto';
import { z } from 'zod';
import { SkepError } from '../../errors.ts';
import { MANIFEST_FORMAT, manifestSchema, type Manifest } from './manifest.ts';

/** `,"sha256":"` + 64 hex digits + `"}` + newline. */
const TRAILER = /,"sha256":"([0-9a-f]{64})"\}\n$/;
const TRAILER_LENGTH = 78;

/**
 * One line of JSON whose last member is the SHA-256 of all bytes before that member, so that a reader needs no canonical
 * form to check it. What is not a manifest is `internal`.
 */
export function encodeManifest(manifest: Manifest): Buffer {
  const parsed = manifestSchema.safeParse(manifest);
  if (!parsed.success) throw new SkepError('internal', `not a manifest: ${z.prettifyError(parsed.error)}`);
  const body = Buffer.from(JSON.stringify(parsed.data).slice(0, -1));
  return Buffer.concat([body, Buffer.from(`,"sha256":"${hash('sha256', body)}"}\n`)]);
}

/** `manifest-damaged` with `context.finding`: `manifest-torn` or `manifest-unsupported`. */
export function decodeManifest(bytes: Buffer, id: string): Manifest {
  const trailer = TRAILER.exec(bytes.subarray(-TRAILER_LENGTH).toString('latin1'));
  if (trailer === null) throw torn(id, 'its end is missing');
  const body = bytes.subarray(0, -TRAILER_LENGTH);
  if (hash('sha256', body) !== trailer[1]) throw torn(id, 'its checksum differs');
  let json: unknown;
  try {
    json = JSON.parse(`${body.toString('utf8')}}`);
  } catch (cause) {
    throw torn(id, 'it is not JSON', cause);
  }
  const format = (json as { format?: unknown } | null)?.format;
  if (typeof format === 'number' && format !== MANIFEST_FORMAT) throw unsupported(id, format);
  const parsed = manifestSchema.safeParse(json);
  if (!parsed.success) throw torn(id, z.prettifyError(parsed.error));
  if (parsed.data.id !== id) throw torn(id, `it is the manifest of ${parsed.data.id}`);
  return parsed.data;
}

function torn(id: string, why: string, cause?: unknown): SkepError {
  const context = { backup: id, finding: 'manifest-torn' };
  return new SkepError('manifest-damaged', `the manifest of ${id} cannot be trusted: ${why}`, { context, cause });
}

function unsupported(id: string, format: number): SkepError {
  const context = { backup: id, finding: 'manifest-unsupported' };
  const hint = 'Use a skep that knows this manifest format.';
  return new SkepError('manifest-damaged', `the manifest of ${id} has format ${format}`, { context, hint });
}
