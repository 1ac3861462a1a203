import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { SkepError } from '../../src/errors.ts';

const micros = z.number().int();

/** The lines of the side table's ledger; `restored` as in the main one. */
const sideLineSchema = z.discriminatedUnion('t', [
  z.object({ t: z.literal('side-run'), run: z.number().int(), startedAtUs: micros }),
  z.object({ t: z.literal('row'), id: z.string(), sentAtUs: micros }),
  z.object({ t: z.literal('row-ack'), id: z.string(), ackedAtUs: micros }),
  z.object({ t: z.literal('row-failed'), id: z.string(), error: z.string() }),
  z.object({ t: z.literal('truncating'), beganAtUs: micros }),
  z.object({ t: z.literal('truncated'), beganAtUs: micros, endedAtUs: micros }),
  z.object({ t: z.literal('restored'), T: micros, atUs: micros }),
]);
export type SideLine = z.infer<typeof sideLineSchema>;

export interface SideRow {
  id: string;
  /** When its run began: a restore after that counts for it. */
  runStartedAtUs: number;
  sentAtUs: number;
  ackedAtUs: number | undefined;
}

/** `endedAtUs` is undefined where nobody knows whether the truncation came to an end. */
export interface Truncation {
  beganAtUs: number;
  endedAtUs: number | undefined;
}

export interface SideLedger {
  rows: SideRow[];
  truncations: Truncation[];
  restores: { T: number; atUs: number }[];
}

/** Reads the files of a side table's load; a last line that a crash tore is left out. */
export async function readSideLedger(files: readonly string[]): Promise<SideLedger> {
  const ledger: SideLedger = { rows: [], truncations: [], restores: [] };
  for (const file of files) {
    const texts = (await readFile(file, 'utf8')).split('\n').slice(0, -1);
    fold(
      texts.map((text) => sideLineSchema.parse(JSON.parse(text))),
      ledger,
      file,
    );
  }
  return ledger;
}

function fold(lines: SideLine[], ledger: SideLedger, file: string): void {
  const rows = new Map<string, SideRow>();
  let runStartedAtUs: number | undefined;
  for (const line of lines) {
    if (line.t === 'side-run') runStartedAtUs = line.startedAtUs;
    else if (line.t === 'row') {
      if (runStartedAtUs === undefined)
        throw new SkepError('internal', `side ledger ${file} does not begin with its run`);
      const row: SideRow = { id: line.id, runStartedAtUs, sentAtUs: line.sentAtUs, ackedAtUs: undefined };
      rows.set(line.id, row);
      ledger.rows.push(row);
    } else if (line.t === 'row-ack') {
      const row = rows.get(line.id);
      if (row) row.ackedAtUs = line.ackedAtUs;
    } else if (line.t === 'truncating') ledger.truncations.push({ beganAtUs: line.beganAtUs, endedAtUs: undefined });
    else if (line.t === 'truncated') {
      const open = ledger.truncations.findLast((truncation) => truncation.beganAtUs === line.beganAtUs);
      if (open) open.endedAtUs = line.endedAtUs;
    } else if (line.t === 'restored') ledger.restores.push({ T: line.T, atUs: line.atUs });
  }
}
