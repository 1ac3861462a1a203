import { expect, test } from 'vitest';
import { checkAudits } from '../../../../lab/proof/audit-check.ts';
import { buildHistory, expectationOf } from '../../../../lab/proof/history.ts';
import { disagreement } from '../../../../lab/proof/lookup-check.ts';
import { ledgerOf, transaction } from './fake-ledger.ts';

const LEDGER = ledgerOf([
  transaction('1-0-1', 10, [['addV', 'a', 'Case', {}]]),
  transaction('1-0-2', 20, [['addV', 'b', 'Case', {}]]),
  transaction('1-0-3', 30, [['addV', 'c', 'Case', {}]]),
]);
/** 1-0-1 is required, 1-0-2 in flight, 1-0-3 forbidden. */
const HISTORY = buildHistory(LEDGER, 22n);

function check(ids: Record<string, object>): Record<string, number> {
  const audits = Object.fromEntries(LEDGER.transactions.map((t) => [t.txn, t.audit]));
  const documents = new Map(Object.entries(ids).map(([id, change]) => [id, [{ ...audits[id], ...change }]]));
  const { missing, extra } = checkAudits(HISTORY, documents);
  return { missing: missing.length, extra: extra.length };
}

test('acknowledged before T is required, sent after it forbidden, the rest open', () => {
  expect(HISTORY.expectations).toEqual(['required', 'open', 'forbidden']);
  expect(expectationOf({ sentAtUs: 10, ackedAtUs: 22 }, 22n)).toBe('open');
  expect(expectationOf({ sentAtUs: 22, ackedAtUs: undefined }, 22n)).toBe('open');
});

test('an entry of a transaction in flight may be there or not', () => {
  expect(check({ '1-0-1': {} })).toEqual({ missing: 0, extra: 0 });
  expect(check({ '1-0-1': {}, '1-0-2': {} })).toEqual({ missing: 0, extra: 0 });
});

test('entries that are lost, forbidden, foreign or not whole are found', () => {
  expect(check({})).toEqual({ missing: 1, extra: 0 });
  expect(check({ '1-0-1': {}, '1-0-3': {} })).toEqual({ missing: 0, extra: 1 });
  expect(check({ '1-0-1': {}, foreign: {} })).toEqual({ missing: 0, extra: 1 });
  expect(check({ '1-0-1': { details: 'half' } })).toEqual({ missing: 1, extra: 0 });
  expect(check({ '1-0-1': {}, '1-0-2': { details: 'half' } })).toEqual({ missing: 1, extra: 0 });
});

test('a lookup has to give exactly the vertices of the scan', () => {
  expect(disagreement('hash', 'h', ['8', '16'], ['16', '8'])).toBeUndefined();
  expect(disagreement('hash', 'h', [], ['8'])).toContain('the scan [8]');
  expect(disagreement('hash', 'h', ['8'], [])).toContain('lookup gives [8]');
  expect(disagreement('hash', 'h', ['8', '8'], ['8'])).toContain('lookup gives [8, 8]');
});
