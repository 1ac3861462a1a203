import type { SkepError } from '../../index.ts';

/** An error for people on stderr, with its hint; with `json` also as an event on stdout. */
export function reportError(e: SkepError, json: boolean): void {
  if (json)
    process.stdout.write(`${JSON.stringify({ at: new Date().toISOString(), type: 'error', error: e.toJSON() })}\n`);
  process.stderr.write(`skep: ${e.message} [${e.code}]\n  ${e.hint}\n`);
}
