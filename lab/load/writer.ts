import { setTimeout as sleep } from 'node:timers/promises';
import { ackedMicros, sentMicros } from '../ledger/clock.ts';
import type { LedgerWriter } from '../ledger/ledger-writer.ts';
import type { AttachmentStore } from './attachment-store.ts';
import { writeAudit } from './audits.ts';
import { type CaseState, Contents } from './case-state.ts';
import { Draft } from './draft.ts';
import type { GremlinClient } from './gremlin-client.ts';
import { writeAnyKind } from './kinds.ts';
import type { Latencies } from './latencies.ts';
import type { Pacer } from './pacer.ts';
import { Random } from './random.ts';
import type { SearchClient } from './search-client.ts';
import { groovy } from './setup.ts';

/** The ledger's line is on the disk this long before the transaction is due, so that its sync is not in the latency. */
const LEAD_MS = 40;
/** After a failure: a server that is down should not fill the ledger with failures. */
const PAUSE_MS = 500;
const APPLY = groovy('apply');

/** What all writers of a run share. */
export interface WriterContext {
  run: number;
  seed: string;
  gremlin: GremlinClient;
  search: SearchClient;
  attachments: AttachmentStore;
  ledger: LedgerWriter;
  pacer: Pacer;
  latencies: Latencies;
  /** Cases that a writer goes on changing; older ones stay as they are. */
  liveCases: number;
  minFileAgeMs: number;
  timeoutMs: number;
}

/** Sends one transaction after the other until the signal aborts; the one in flight is then finished. */
export async function runWriter(writer: number, context: WriterContext, signal: AbortSignal): Promise<void> {
  const random = new Random(`${context.seed}/${context.run}/${writer}`);
  const contents = new Contents(context.minFileAgeMs);
  const cases: CaseState[] = [];
  for (let seq = 1; !signal.aborted; seq++) {
    const due = await context.pacer.due(writer, LEAD_MS, signal);
    if (signal.aborted) return;
    const nowMs = Date.now();
    const caseNumber = context.run * 5_000_000 + writer * 50_000 + seq;
    const draft = new Draft({ txn: `${context.run}-${writer}-${seq}`, seq, caseNumber, random, contents, nowMs });
    const { kind, ...deed } = writeAnyKind(draft, { cases, contents });
    const audit = { createdAt: nowMs, ...deed, details: `${kind} in ${draft.ops.length} steps [${draft.txn}]` };
    const line = {
      txn: draft.txn,
      writer,
      seq,
      kind,
      sentAtUs: sentMicros(nowMs),
      ops: draft.ops,
      files: draft.files(),
      audit,
    };
    await context.ledger.append({ t: 'intent', ...line });
    const dueMs = Date.now() + Math.min(0, due - performance.now());
    if (due > performance.now()) await sleep(due - performance.now());
    try {
      await send(draft, audit, context);
      const ms = performance.now() - due;
      context.latencies.add({ dueMs, ms, ok: true });
      await context.ledger.append({ t: 'ack', txn: draft.txn, ackedAtUs: ackedMicros(), ms: Math.round(ms * 10) / 10 });
    } catch (e) {
      context.latencies.add({ dueMs, ms: performance.now() - due, ok: false });
      const error = e instanceof Error ? e.message : String(e);
      await context.ledger.append({
        t: 'failed',
        txn: draft.txn,
        failedAtUs: ackedMicros(),
        error: error.slice(0, 500),
      });
      await abandon(draft, cases, contents, context.attachments);
      await sleep(PAUSE_MS, undefined, { signal }).catch(() => undefined);
    }
    cases.splice(0, cases.length - context.liveCases);
  }
}

async function send(draft: Draft, audit: Parameters<typeof writeAudit>[2], context: WriterContext): Promise<void> {
  for (const content of draft.puts) await context.attachments.write(content);
  for (const content of draft.deletes) await context.attachments.delete(content.sha256);
  await context.gremlin.submit(APPLY, { body: JSON.stringify(draft.ops) }, context.timeoutMs);
  await writeAudit(context.search, draft.txn, audit);
}

/**
 * The outcome of a failed transaction is unknown: its cases are left alone from now on, and files whose vertices may
 * still be there are written again.
 */
async function abandon(
  draft: Draft,
  cases: CaseState[],
  contents: Contents,
  attachments: AttachmentStore,
): Promise<void> {
  for (const state of draft.touched) {
    const at = cases.indexOf(state);
    if (at >= 0) cases.splice(at, 1);
  }
  for (const content of [...draft.puts, ...draft.deletes]) contents.keepForEver(content.sha256);
  for (const content of draft.deletes) await attachments.write(content);
}
