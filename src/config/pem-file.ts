import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { SkepError } from '../errors.ts';

/** The certificates of a file, as PEM; `key` is where skep.yaml names it. Error: `config-invalid`. */
export function readCa(file: string, key: string): Promise<string> {
  return readPem(file, key, { what: 'certificate', parse: (text) => new X509Certificate(text) });
}

/** The private key of a file, as PEM, without a passphrase. Error: `config-invalid`, which tells nothing of what is in it. */
export function readPrivateKey(file: string, key: string): Promise<string> {
  return readPem(file, key, { what: 'private key without a passphrase', parse: createPrivateKey });
}

async function readPem(
  file: string,
  key: string,
  { what, parse }: { what: string; parse: (text: string) => unknown },
): Promise<string> {
  const fault = (why: string, cause?: unknown) =>
    new SkepError('config-invalid', `cannot read ${key} ${file}: ${why}`, { context: { file, key }, cause });
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (e) {
    throw fault((e as NodeJS.ErrnoException).code ?? 'failed', e);
  }
  try {
    parse(text);
  } catch {
    throw fault(`it holds no ${what}`);
  }
  return text;
}
