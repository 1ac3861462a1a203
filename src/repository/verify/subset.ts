import { hash, randomBytes } from 'node:crypto';
import { SkepError } from '../../errors.ts';

/** Which stored objects are read: part `part` (from 1) of `of`, always the same ones, or a share of all by chance. */
export type Subset = { part: number; of: number } | { percent: number };

/** Digits of a hash that choose: as many as a number holds exactly. */
const DIGITS = 12;

/** `3/30` or `5%`. Error: `usage`. */
export function parseSubset(text: string): Subset {
  const [, part, of] = (/^(\d{1,9})\/(\d{1,9})$/.exec(text) ?? []).map(Number);
  if (part !== undefined && of !== undefined && part >= 1 && part <= of) return { part, of };
  const percent = Number(/^(\d{1,3}(?:\.\d{1,6})?)%$/.exec(text)?.[1]);
  if (percent > 0 && percent <= 100) return { percent };
  throw new SkepError('usage', `${text} is not a subset`, {
    hint: 'Write `--subset 3/30` for the third of thirty parts, or `--subset 5%` for a sample.',
  });
}

/** Tells by its name whether an object belongs to the subset. All parts together are all objects, each once. */
export function chooser(subset: Subset, salt: string = randomBytes(16).toString('hex')): (name: string) => boolean {
  // A name is a hash: its digits are spread evenly.
  if ('part' in subset) return (name) => (parseInt(name.slice(0, DIGITS), 16) % subset.of) + 1 === subset.part;
  const limit = (subset.percent / 100) * 16 ** DIGITS;
  return (name) => parseInt(hash('sha256', salt + name).slice(0, DIGITS), 16) < limit;
}
