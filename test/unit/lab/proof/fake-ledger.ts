import { Contents, type CaseState } from '../../../../lab/load/case-state.ts';
import { Draft } from '../../../../lab/load/draft.ts';
import { writeAnyKind } from '../../../../lab/load/kinds.ts';
import { Random } from '../../../../lab/load/random.ts';
import type { Ledger } from '../../../../lab/ledger/ledger-reader.ts';
import type { LedgerTransaction, Op } from '../../../../lab/ledger/model.ts';

/** A transaction by hand: sent at `at`, acknowledged at `at + 5` (microseconds) unless it is said otherwise. */
export function transaction(
  txn: string,
  at: number,
  ops: Op[],
  more: Partial<LedgerTransaction> = {},
): LedgerTransaction {
  const [run = 1, writer = 0, seq = 1] = txn.split('-').map(Number);
  const audit = { createdAt: at, action: 'update', objectType: 'Case', objectId: 'x', details: txn };
  const times = { sentAtUs: at, ackedAtUs: at + 5, ms: 1, error: undefined };
  return { txn, run, writer, seq, kind: 'by-hand', ops, files: [], audit, ...times, ...more };
}

export function ledgerOf(transactions: LedgerTransaction[], restores: Ledger['restores'] = []): Ledger {
  return { transactions, runs: new Map([[1, { startedAtUs: 0 }]]), restores };
}

/**
 * What the load's own writers would have sent: each writer's transactions follow one another without overlap, those of
 * different writers interleave. Times are microseconds from 1,000,000,000 on, which leaves room for files to grow old.
 */
export function madeLedger(seed: string, perWriter: number, writers = 3): Ledger {
  const transactions: LedgerTransaction[] = [];
  for (let writer = 0; writer < writers; writer++) {
    const random = new Random(`${seed}/${writer}`);
    const contents = new Contents(0);
    const cases: CaseState[] = [];
    let at = 1_000_000_000 + writer * 333;
    for (let seq = 1; seq <= perWriter; seq++) {
      const txn = `1-${writer}-${seq}`;
      const draft = new Draft({ txn, seq, caseNumber: writer * 1000 + seq, random, contents, nowMs: at / 1000 });
      const deed = writeAnyKind(draft, { cases, contents });
      const ackedAtUs = at + random.int(100, 900);
      transactions.push(transaction(txn, at, draft.ops, { kind: deed.kind, files: draft.files(), ackedAtUs }));
      at = ackedAtUs + random.int(2, 200);
    }
  }
  return ledgerOf(transactions.sort((a, b) => a.sentAtUs - b.sentAtUs));
}
