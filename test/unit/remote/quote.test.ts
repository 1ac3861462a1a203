import { execa } from 'execa';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { quote, quoteAll } from '../../../src/remote/quote.ts';

/** What a POSIX shell hands to a program, through quoting. */
async function throughShell(argv: readonly string[]): Promise<string[]> {
  const { stdout } = await execa('sh', ['-c', `printf '%s\\0' ${quoteAll(argv)}`], { encoding: 'buffer' });
  const parts = Buffer.from(stdout).toString('utf8').split('\0');
  return parts.slice(0, -1);
}

describe('quoting', () => {
  test('brings any argument through a shell as it is', async () => {
    const nasty = fc.string({
      unit: fc.constantFrom("'", '"', '\\', '$', '`', ' ', '\n', '!', '*', '~', '#', '&', ';', '(', '=', '-', 'ä', 'x'),
    });
    const argument = fc
      .oneof(nasty, fc.string({ unit: 'grapheme' }))
      .filter((s) => !s.includes('\0') && s.isWellFormed());
    await fc.assert(
      fc.asyncProperty(fc.array(argument, { minLength: 50, maxLength: 200 }), async (argv) => {
        expect(await throughShell(argv)).toEqual(argv);
      }),
      { numRuns: 8 },
    );
  });

  test('leaves plain words as they are, and nothing that a shell reads in its own way', () => {
    expect(quoteAll(['/usr/bin/nodetool', '-p', '7199', 'a_b@c:d,e+f.g'])).toBe(
      '/usr/bin/nodetool -p 7199 a_b@c:d,e+f.g',
    );
    expect(['', 'A=b', '=ls', '~', '%1', 'a b', '$HOME'].map(quote)).toEqual([
      "''",
      "'A=b'",
      "'=ls'",
      "'~'",
      "'%1'",
      "'a b'",
      "'$HOME'",
    ]);
  });
});
