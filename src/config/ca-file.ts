import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { SkepError } from '../errors.ts';

/** The certificates of a `ca_file`, as PEM; `key` is where skep.yaml names it. Error: `config-invalid`. */
export async function readCa(file: string, key: string): Promise<string> {
  const fault = (why: string, cause: unknown) =>
    new SkepError('config-invalid', `cannot read ${key} ${file}: ${why}`, { context: { file, key }, cause });
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (e) {
    throw fault((e as NodeJS.ErrnoException).code ?? 'failed', e);
  }
  try {
    new X509Certificate(text);
  } catch (e) {
    throw fault('it holds no certificate', e);
  }
  return text;
}
