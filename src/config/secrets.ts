import { readFile } from 'node:fs/promises';
import { execa } from 'execa';
import { SkepError } from '../errors.ts';
import type { SecretSource } from './schema.ts';

/** Reads one secret; errors are `secret-unreadable` and name the source, never the secret. */
export async function readSecret(source: SecretSource, what: string): Promise<string> {
  const text = await readSource(source, what);
  const line = text.split('\n')[0]?.trim() ?? '';
  if (line === '') throw new SkepError('secret-unreadable', `the secret for ${what} is empty (${describe(source)})`);
  return line;
}

/** Identities, a line each, without comments (`#`) and empty lines. Errors: as `readSecret`. */
export async function readIdentities(source: SecretSource, what: string): Promise<string[]> {
  const hint = 'It must give age identities, one or several, each in a line: those that `age-keygen` has made.';
  const lines = (await readSource(source, what, { hint })).split('\n').map((line) => line.trim());
  const kept = lines.filter((line) => line !== '' && !line.startsWith('#'));
  if (kept.length > 0) return kept;
  throw new SkepError('secret-unreadable', `there is no identity for ${what} (${describe(source)})`, { hint });
}

async function readSource(source: SecretSource, what: string, details: { hint?: string } = {}): Promise<string> {
  if ('env' in source) return process.env[source.env] ?? '';
  try {
    if ('file' in source) return await readFile(source.file, 'utf8');
    const [cmd, ...args] = source.command as [string, ...string[]];
    return (await execa(cmd, args, { stdin: 'ignore', timeout: 30_000 })).stdout;
  } catch (e) {
    const why = (e as NodeJS.ErrnoException).code ?? 'failed';
    throw new SkepError(
      'secret-unreadable',
      `cannot read the secret for ${what} (${describe(source)}): ${why}`,
      details,
    );
  }
}

function describe(source: SecretSource): string {
  if ('env' in source) return `variable ${source.env}`;
  if ('file' in source) return `file ${source.file}`;
  return `command ${source.command[0]}`;
}
