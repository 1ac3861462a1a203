import { hash } from 'node:crypto';
import { z } from 'zod';
import { SkepError } from '../../errors.ts';
import { MANIFEST_FORMAT, manifestSchema, type Manifest } from './manifest.ts';

/** `,"sha256":"` + 64 hex digits + `"}` + newline. */
const TRAILER = /,"sha256":"([0-9a-f]{64})"\}\n$/;
const TRAILER_LENGTH = 78;
/** `,"mac":"` + 64 hex digits + `"`, right before that. */
const MAC_LENGTH = 73;

/** HMAC of a text under the naming key. */
export type Mac = (text: string) => string;

/**
 * One line of JSON whose last member is the SHA-256 of all bytes before that member, so that a reader needs no canonical
 * form to check it. That of a sealed repository has a MAC right before it, in the same way. What is not a manifest is
 * `internal`.
 */
export function encodeManifest(manifest: Omit<Manifest, 'mac'>, mac?: Mac): Buffer {
  const parsed = manifestSchema.safeParse(manifest);
  if (!parsed.success) throw new SkepError('internal', `not a manifest: ${z.prettifyError(parsed.error)}`);
  const { mac: _, ...content } = parsed.data;
  const plain = Buffer.from(JSON.stringify(content).slice(0, -1));
  const body = mac === undefined ? plain : Buffer.concat([plain, Buffer.from(`,"mac":"${mac(macText(plain))}"`)]);
  return Buffer.concat([body, Buffer.from(`,"sha256":"${hash('sha256', body)}"}\n`)]);
}

/**
 * Errors: `manifest-unsupported` (another format); `manifest-damaged` with `context.finding`: `manifest-torn`, or
 * `manifest-forged` when `mac` is given and the manifest's is another.
 */
export function decodeManifest(bytes: Buffer, id: string, mac?: Mac): Manifest {
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
  if (mac !== undefined && parsed.data.mac !== mac(macText(body.subarray(0, -MAC_LENGTH)))) throw forged(id);
  return parsed.data;
}

function macText(plain: Buffer): string {
  return `manifest ${hash('sha256', plain)}`;
}

function forged(id: string): SkepError {
  const context = { backup: id, finding: 'manifest-forged' };
  const hint = 'Who wrote it had the storage, but not the naming key: trust no backup of this id.';
  return new SkepError('manifest-damaged', `the manifest of ${id} was not made with the naming key`, { context, hint });
}

function torn(id: string, why: string, cause?: unknown): SkepError {
  const context = { backup: id, finding: 'manifest-torn' };
  return new SkepError('manifest-damaged', `the manifest of ${id} cannot be trusted: ${why}`, { context, cause });
}

function unsupported(id: string, format: number): SkepError {
  const context = { backup: id, finding: 'manifest-unsupported' };
  const message = `the manifest of ${id} has format ${format}, not ${MANIFEST_FORMAT}`;
  return new SkepError('manifest-unsupported', message, { context });
}
