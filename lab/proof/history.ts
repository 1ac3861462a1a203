import { GraphModel, type ElementKey, type ElementState } from '../ledger/graph-model.ts';
import type { Ledger } from '../ledger/ledger-reader.ts';
import type { LedgerTransaction, Value } from '../ledger/model.ts';

/** What a restored cluster must say of a transaction: it is there, it is not, or it is whole or absent. */
export type Expectation = 'required' | 'forbidden' | 'open';

/** One state of an element and the transaction (its place in `transactions`) that brought it about. */
export interface Version {
  txn: number;
  state: ElementState;
}

/** The ledger folded by element. Versions are in the order of their owner's transactions: one writer owns an element. */
export interface History {
  transactions: readonly LedgerTransaction[];
  expectations: readonly Expectation[];
  elements: ReadonlyMap<ElementKey, readonly Version[]>;
  /** For each composite-indexed key: every value ever written, and the transaction that wrote it first. */
  indexed: ReadonlyMap<string, ReadonlyMap<Value, number>>;
}

/** Keys with a composite index of their own in the load's schema. */
const INDEXED_KEYS = ['number', 'uid', 'hash', 'attachmentId'];

/** Folds a ledger for a cluster that is meant to be as it was at `T` (microseconds). */
export function buildHistory(ledger: Ledger, T: bigint): History {
  const model = new GraphModel();
  const elements = new Map<ElementKey, Version[]>();
  const indexed = new Map(INDEXED_KEYS.map((key) => [key, new Map<Value, number>()]));
  ledger.transactions.forEach((transaction, txn) => {
    for (const [element, state] of model.apply(transaction.ops)) {
      const versions = elements.get(element);
      if (versions) versions.push({ txn, state });
      else elements.set(element, [{ txn, state }]);
      noteIndexed(element, state, txn, indexed);
    }
  });
  const expectations = ledger.transactions.map((transaction) =>
    expectationOf(transaction, effectiveT(ledger, transaction, T)),
  );
  return { transactions: ledger.transactions, expectations, elements, indexed };
}

/** Acknowledged before T: required. Sent after T: forbidden. Neither, so in flight at T or failed: open. */
export function expectationOf(transaction: Pick<LedgerTransaction, 'sentAtUs' | 'ackedAtUs'>, T: bigint): Expectation {
  if (BigInt(transaction.sentAtUs) > T) return 'forbidden';
  if (transaction.ackedAtUs !== undefined && BigInt(transaction.ackedAtUs) < T) return 'required';
  return 'open';
}

/** A restore that was made after a run had begun took away for good what that run sent after the restore's own T. */
function effectiveT(ledger: Ledger, transaction: LedgerTransaction, T: bigint): bigint {
  const startedAtUs = ledger.runs.get(transaction.run)?.startedAtUs ?? 0;
  const earlier = ledger.restores.filter((restore) => restore.atUs > startedAtUs).map((restore) => BigInt(restore.T));
  return [T, ...earlier].reduce((least, t) => (t < least ? t : least));
}

function noteIndexed(
  element: ElementKey,
  state: ElementState,
  txn: number,
  indexed: Map<string, Map<Value, number>>,
): void {
  if (state === null || !element.startsWith('p|')) return;
  const values = indexed.get(element.slice(element.lastIndexOf('|') + 1));
  if (!values) return;
  const value = JSON.parse(state) as Value;
  if (!values.has(value)) values.set(value, txn);
}
