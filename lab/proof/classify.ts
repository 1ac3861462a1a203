import type { ElementKey } from '../ledger/graph-model.ts';
import type { History, Version } from './history.ts';
import type { GraphState } from './graph-state.ts';

/** Transactions (by their place in the history) that break the promise, each with the elements that show it. */
export interface Classification {
  missing: Map<number, string[]>;
  extra: Map<number, string[]>;
  torn: Map<number, string[]>;
  /** Things in the graph that the ledger never wrote: each counts as extra. */
  foreign: string[];
}

/** For each transaction: elements that show its effect (or a later one), and elements that do not. */
interface Evidence {
  there: string[][];
  absent: string[][];
}

/**
 * Judges a graph against the history. An element's state tells the last version whose effect shows; the versions up
 * to it count as there, the later ones as not there. Required with anything not there = missing; forbidden with
 * anything there = extra; both at once = torn, whatever is expected.
 */
export function classify(history: History, state: GraphState): Classification {
  const evidence: Evidence = {
    there: history.transactions.map(() => []),
    absent: history.transactions.map(() => []),
  };
  const foreign = [...state.nameless, ...foreignElements(history, state)];
  const ambiguous: { element: ElementKey; shown: number[] }[] = [];
  for (const [element, versions] of history.elements) {
    const actual = state.elements.get(element) ?? null;
    const shown = shownVersions(versions, actual);
    if (shown.length > 1) ambiguous.push({ element, shown });
    else if (shown[0] !== undefined) record(element, versions, shown[0], evidence);
    else noteUnknownValue(element, versions, history, evidence, foreign);
  }
  const chosen = ambiguous.map(({ element, shown }) => {
    const versions = history.elements.get(element) ?? [];
    return { element, versions, version: choose(shown, versions, history, evidence) };
  });
  for (const { element, versions, version } of chosen) record(element, versions, version, evidence);
  return verdicts(history, evidence, foreign);
}

/** The numbers of versions that look like `actual`: 0 = before the first, n = after the n-th. */
function shownVersions(versions: readonly Version[], actual: string | null): number[] {
  const shown = actual === null ? [0] : [];
  versions.forEach((version, i) => {
    if (version.state === actual) shown.push(i + 1);
  });
  return shown;
}

function record(element: ElementKey, versions: readonly Version[], shown: number, evidence: Evidence): void {
  versions.forEach(({ txn }, i) => (i < shown ? evidence.there : evidence.absent)[txn]?.push(element));
}

/** A value that nobody wrote: what the last required version wrote is not there; with none required, it is foreign. */
function noteUnknownValue(
  element: ElementKey,
  versions: readonly Version[],
  history: History,
  evidence: Evidence,
  foreign: string[],
): void {
  const last = versions.findLast(({ txn }) => history.expectations[txn] === 'required');
  if (last) evidence.absent[last.txn]?.push(element);
  else foreign.push(`unknown value of ${element}`);
}

/**
 * "Not there" may be before the creation or after the deletion. The other effects of the transactions involved tell:
 * the version that contradicts the fewest of them is taken; at a draw the one that is expected, so that a graph that
 * is as expected is never called otherwise; else the later one, because deletions that leak are what a cut fears most.
 */
function choose(shown: readonly number[], versions: readonly Version[], history: History, evidence: Evidence): number {
  const required = versions.findLastIndex(({ txn }) => history.expectations[txn] === 'required') + 1;
  const unexpected = (n: number): boolean =>
    n < required || versions.slice(required, n).some(({ txn }) => history.expectations[txn] !== 'open');
  const contradictions = (n: number): number =>
    versions.filter(({ txn }, i) => ((i < n ? evidence.absent : evidence.there)[txn]?.length ?? 0) > 0).length;
  const rank = (n: number): number => contradictions(n) + (unexpected(n) ? 0.5 : 0);
  return [...shown].sort((a, b) => rank(a) - rank(b) || b - a)[0] ?? 0;
}

function verdicts(history: History, evidence: Evidence, foreign: string[]): Classification {
  const result: Classification = { missing: new Map(), extra: new Map(), torn: new Map(), foreign };
  history.expectations.forEach((expectation, txn) => {
    const there = evidence.there[txn] ?? [];
    const absent = evidence.absent[txn] ?? [];
    if (expectation === 'required' && absent.length > 0) result.missing.set(txn, absent);
    if (expectation === 'forbidden' && there.length > 0) result.extra.set(txn, there);
    if (there.length > 0 && absent.length > 0) result.torn.set(txn, expectation === 'required' ? absent : there);
  });
  return result;
}

/** Elements that the history does not know: one finding a vertex, edge or property. */
function foreignElements(history: History, state: GraphState): string[] {
  const found = new Set<string>();
  for (const element of state.elements.keys()) {
    if (history.elements.has(element)) continue;
    const [kind = '', name = ''] = element.split('|', 2);
    if (kind === 'o' || kind === 'i') found.add(`edge ${name}`);
    else if (history.elements.has(`v|${name}`)) found.add(`element ${element}`);
    else found.add(`vertex ${name}`);
  }
  return [...found];
}
