import type { AttachmentStore } from '../load/attachment-store.ts';
import type { ScannedVertex } from './graph-reader.ts';
import type { History } from './history.ts';

export interface AttachmentFindings {
  /** Attachments that vertices refer to and whose file is absent or holds something else. */
  dangling: string[];
  /** Files that no transaction ever wrote. Those of transactions after T may be there: nothing refers to them. */
  foreign: string[];
  /** Absent, but deleted by a transaction whose outcome nobody knows: the live cluster lacks them too. */
  deletedByFailed: string[];
}

export async function checkAttachments(
  history: Pick<History, 'transactions' | 'expectations'>,
  vertices: readonly ScannedVertex[],
  attachments: AttachmentStore,
): Promise<AttachmentFindings> {
  const findings: AttachmentFindings = { dangling: [], foreign: [], deletedByFailed: [] };
  const excused = deletedByUnknown(history);
  for (const [sha256, uids] of referredTo(vertices)) {
    const actual = await attachments.sha256Of(sha256);
    if (actual === sha256) continue;
    const text = `${sha256}: ${actual === undefined ? 'no such file' : `content has ${actual}`}, referred to by ${uids.join(', ')}`;
    (actual === undefined && excused.has(sha256) ? findings.deletedByFailed : findings.dangling).push(text);
  }
  const written = new Set(history.transactions.flatMap((t) => t.files.map((f) => f.sha256)));
  for (const name of await attachments.names()) {
    if (!written.has(name)) findings.foreign.push(`attachment ${name}`);
  }
  return findings;
}

function referredTo(vertices: readonly ScannedVertex[]): Map<string, string[]> {
  const references = new Map<string, string[]>();
  for (const { id, label, properties } of vertices) {
    if (label !== 'Attachment') continue;
    const sha256 = properties.find(([key]) => key === 'attachmentId')?.[1];
    const name = String(sha256 ?? '');
    references.set(name, [...(references.get(name) ?? []), id]);
  }
  return references;
}

/** A transaction that was sent after T is no excuse: at T its file was there. */
function deletedByUnknown(history: Pick<History, 'transactions' | 'expectations'>): Set<string> {
  const unknown = history.transactions.filter(
    (t, i) => t.ackedAtUs === undefined && history.expectations[i] !== 'forbidden',
  );
  return new Set(unknown.flatMap((t) => t.files.filter((f) => f.op === 'delete').map((f) => f.sha256)));
}
