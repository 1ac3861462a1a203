import { SkepError } from '../../errors.ts';

/** Which stored objects are read: part `part` (from 1) of `of`. */
export interface Subset {
  part: number;
  of: number;
  /** Where no object is in that part, the next one that has any is read: each day is to read something. */
  orNext?: boolean;
}

/** Digits of a hash that choose: as many as a number holds exactly. */
const DIGITS = 12;
const DAY = 86_400_000;

/**
 * `3/30`; or `5%`: as many parts as it takes, each day (UTC) the next one, so that in turn all are read. Error: `usage`.
 * `now`: ms since 1970.
 */
export function parseSubset(text: string, now: number = Date.now()): Subset {
  const [, part, of] = (/^(\d{1,9})\/(\d{1,9})$/.exec(text) ?? []).map(Number);
  if (part !== undefined && of !== undefined && part >= 1 && part <= of) return { part, of };
  const percent = Number(/^(\d{1,3}(?:\.\d{1,6})?)%$/.exec(text)?.[1]);
  if (percent > 0 && percent <= 100) {
    const parts = Math.ceil(100 / percent);
    return { part: (Math.floor(now / DAY) % parts) + 1, of: parts, orNext: true };
  }
  throw new SkepError('usage', `${text} is not a subset`, {
    hint: 'Write `--subset 3/30` for the third of thirty parts, or `--subset 5%` for a twentieth, another one each day.',
  });
}

/** Tells by its name whether an object belongs to the subset. All parts together are all objects, each once. */
export function chooser({ part, of }: Subset): (name: string) => boolean {
  return (name) => partOf(name, of) === part;
}

/** The subset that is read of these names. */
export function settle(subset: Subset, names: Iterable<string>): Subset {
  const { part, of, orNext } = subset;
  if (orNext !== true) return subset;
  let ahead: number | undefined;
  for (const name of names) {
    ahead = Math.min(ahead ?? of, (partOf(name, of) - part + of) % of);
    if (ahead === 0) break;
  }
  return { part: ((part - 1 + (ahead ?? 0)) % of) + 1, of };
}

/** A name is a hash: its digits are spread evenly. */
function partOf(name: string, of: number): number {
  return (parseInt(name.slice(0, DIGITS), 16) % of) + 1;
}
