import { SkepError } from '../../errors.ts';
import { parseDetailsJson, type ManifestDetails } from '../format/manifest.ts';
import type { Keyring } from './keyring.ts';
import { openSealedBytes } from './open.ts';
import { sealBytes } from './seal.ts';

/** The engine's part of a manifest as its member `sealed`. */
export async function sealDetails(details: ManifestDetails, recipients: readonly string[]): Promise<string> {
  return (await sealBytes(Buffer.from(JSON.stringify(details)), recipients)).toString('base64');
}

/** Errors: `key-missing`, `key-wrong`, `manifest-damaged`. */
export async function openDetails(sealed: string, id: string, keyring: Keyring): Promise<ManifestDetails> {
  let json: string;
  try {
    json = (await openSealedBytes(Buffer.from(sealed, 'base64'), keyring.identities)).toString('utf8');
  } catch (error) {
    if (!(error instanceof SkepError)) throw error;
    const code = error.code === 'object-damaged' ? 'manifest-damaged' : error.code;
    throw new SkepError(code, `the details of ${id}: ${error.message}`, { cause: error, context: { backup: id } });
  }
  const details = parseDetailsJson(json);
  if (details !== undefined) return details;
  throw new SkepError('manifest-damaged', `the details of ${id} are not an object`, { context: { backup: id } });
}
