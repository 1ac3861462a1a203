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

/** All lines of a secret that has several, without comments (`#`) and empty ones. Errors: as `readSecret`. */
export async function readSecretLines(source: SecretSource, what: string): Promise<string[]> {
  const lines = (await readSource(source, what)).split('\n').map((line) => line.trim());
  const kept = lines.filter((line) => line !== '' && !line.startsWith('#'));
  if (kept.length > 0) return kept;
  throw new SkepError('secret-unreadable', `the secret for ${what} is empty (${describe(source)})`);
}

async function readSource(source: SecretSource, what: string): Promise<string> {
  if ('env' in source) return process.env[source.env] ?? '';
  try {
    if ('file' in source) return await readFile(source.file, 'utf8');
    const [cmd, ...args] = source.command as [string, ...string[]];
    return (await execa(cmd, args, { stdin: 'ignore', timeout: 30_000 })).stdout;
  } catch (e) {
    const why = (e as NodeJS.ErrnoException).code ?? 'failed';
    throw new SkepError('secret-unreadable', `cannot read the secret for ${what} (${describe(source)}): ${why}`);
  }
}

function describe(source: SecretSource): string {
  if ('env' in source) return `variable ${source.env}`;
  if ('file' in source) return `file ${source.file}`;
  return `command ${source.command[0]}`;
}
