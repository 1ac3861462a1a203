import type { Document } from './documents.ts';
import type { History } from './history.ts';

/** Audit entries that are not there as written, and entries that must not be there. */
export interface AuditFindings {
  missing: string[];
  extra: string[];
}

const FIELDS = ['createdAt', 'action', 'objectType', 'objectId', 'details'] as const;

/** Compares the audit entries (by transaction id) with the ledger; an open transaction may have one or not. */
export function checkAudits(history: History, documents: ReadonlyMap<string, readonly Document[]>): AuditFindings {
  const findings: AuditFindings = { missing: [], extra: [] };
  const known = new Set<string>();
  history.transactions.forEach(({ txn, audit }, i) => {
    known.add(txn);
    const found = documents.get(txn) ?? [];
    const expectation = history.expectations[i];
    if (found.length > 1) findings.extra.push(`${txn}: ${found.length} entries`);
    if (expectation === 'forbidden' && found.length > 0) findings.extra.push(`${txn}: sent after T`);
    if (expectation === 'required' && found.length === 0) findings.missing.push(`${txn}: no entry`);
    const wrong = FIELDS.find((field) => found[0] && found[0][field] !== audit[field]);
    if (wrong !== undefined && expectation !== 'forbidden') findings.missing.push(`${txn}: ${wrong} is not as written`);
  });
  for (const id of documents.keys()) if (!known.has(id)) findings.extra.push(`${id}: not in the ledger`);
  return findings;
}
