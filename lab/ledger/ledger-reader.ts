import { readFile } from 'node:fs/promises';
import { SkepError } from '../../src/errors.ts';
import { type LedgerTransaction, type Line, lineSchema } from './model.ts';

/** A restore that somebody noted in a ledger: what earlier runs sent after `T` is gone. Both in microseconds. */
interface RestoreNote {
  T: number;
  atUs: number;
}

/** Every transaction in the order in which it was meant, and when each run began. */
export interface Ledger {
  transactions: LedgerTransaction[];
  runs: Map<number, { startedAtUs: number }>;
  restores: RestoreNote[];
}

/** Reads ledger files (one a run). A last line that a crash tore is left out; damage elsewhere is an error. */
export async function readLedger(files: readonly string[]): Promise<Ledger> {
  const ledger: Ledger = { transactions: [], runs: new Map(), restores: [] };
  for (const file of files) foldLines(parseLines(await readFile(file, 'utf8'), file), ledger, file);
  return ledger;
}

/** The lines of one ledger file's text. */
function parseLines(text: string, file: string): Line[] {
  const rows = text.split('\n');
  // Text after the last line feed was never promised to anybody: the write was torn.
  rows.pop();
  return rows.map((row, i) => {
    const parsed = lineSchema.safeParse(safeJson(row));
    if (parsed.success) return parsed.data;
    throw new SkepError('internal', `ledger ${file} is damaged at line ${i + 1}`, { cause: parsed.error });
  });
}

function foldLines(lines: Line[], ledger: Ledger, file: string): void {
  const open = new Map<string, LedgerTransaction>();
  let run: number | undefined;
  for (const line of lines) {
    if (line.t === 'restored') ledger.restores.push({ T: line.T, atUs: line.atUs });
    else if (line.t === 'run') {
      run = line.run;
      ledger.runs.set(run, { startedAtUs: line.startedAtUs });
    } else if (line.t === 'intent') {
      if (run === undefined) throw new SkepError('internal', `ledger ${file} does not begin with its run`);
      const { t: _, ...intent } = line;
      const transaction = { ...intent, run, ackedAtUs: undefined, ms: undefined, error: undefined };
      open.set(line.txn, transaction);
      ledger.transactions.push(transaction);
    } else {
      const transaction = open.get(line.txn);
      if (!transaction) throw new SkepError('internal', `ledger ${file}: ${line.t} of unknown transaction ${line.txn}`);
      if (line.t === 'ack') Object.assign(transaction, { ackedAtUs: line.ackedAtUs, ms: line.ms });
      else transaction.error = line.error;
    }
  }
}

function safeJson(row: string): unknown {
  try {
    return JSON.parse(row);
  } catch {
    return undefined;
  }
}
