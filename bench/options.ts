import { parseArgs } from 'node:util';

/** What every row is given. */
export interface RowOptions {
  /** How often ours and the peer run. */
  turns: number;
  /** Share of the data: 1 is what the row says; less is for trying. */
  scale: number;
}

/** The command line: names of rows (all when none is named), `--turns N`, `--scale X`. */
export function parseOptions(): RowOptions & { named: string[] } {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { turns: { type: 'string', default: '3' }, scale: { type: 'string', default: '1' } },
  });
  const [turns, scale] = [Number(values.turns), Number(values.scale)];
  if (!Number.isInteger(turns) || turns < 1 || !(scale > 0 && scale <= 1)) {
    throw new Error('--turns takes a count of 1 or more, --scale a number above 0 and up to 1');
  }
  return { turns, scale, named: positionals };
}
