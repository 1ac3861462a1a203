import { isDeepStrictEqual } from 'node:util';
import { SkepError } from '../../src/errors.ts';
import type { Endpoints } from '../load/endpoints.ts';
import { GremlinClient } from '../load/gremlin-client.ts';
import { AUDITS } from '../load/audits.ts';
import { GLOBAL, type IndexShapes, readIndexShapes } from '../load/index-shape.ts';
import { SearchClient } from '../load/search-client.ts';
import { type Ledger, readLedger } from '../ledger/ledger-reader.ts';
import { openAttachments } from '../load/attachment-store.ts';
import { checkAttachments } from './attachment-check.ts';
import { checkAudits } from './audit-check.ts';
import { classify } from './classify.ts';
import { readDocuments } from './documents.ts';
import { scanGraph } from './graph-reader.ts';
import { graphState } from './graph-state.ts';
import { buildHistory, type History } from './history.ts';
import { checkIndex, indexedFields } from './index-check.ts';
import { checkLookups } from './lookup-check.ts';
import type { Proof, ProofReport } from './report.ts';

export interface ProveOptions {
  endpoints: Endpoints;
  /** Every ledger file of the cluster's life, oldest first. */
  ledgerFiles: string[];
  /** The moment that the cluster is meant to be at, in microseconds. */
  T: bigint;
  /** The shapes of the indices before any load (`keptIndexShapes`). */
  shapes: IndexShapes;
}

/**
 * Reads a quiet cluster (the graph through JanusGraph, the index and the audits from Elasticsearch, the attachments
 * from their folder) and compares it with the ledger. Changes nothing. Throws where something cannot be read.
 */
export async function prove(options: ProveOptions): Promise<Proof> {
  const { endpoints, shapes } = options;
  const ledger = await readLedger(options.ledgerFiles);
  const history = buildHistory(ledger, options.T);
  const globalShape = shapes.global[0];
  if (!globalShape) throw new SkepError('internal', 'the kept shapes have no thehive_global');
  const gremlin = new GremlinClient(endpoints.gremlinUrl);
  const search = new SearchClient(endpoints.elasticsearch);
  try {
    const started = performance.now();
    const vertices = await scanGraph(gremlin);
    const scanned = performance.now();
    const graph = classify(history, graphState(vertices));
    const lookups = await checkLookups(gremlin, history, vertices);
    const lookedUp = performance.now();
    const index = checkIndex(vertices, await readDocuments(search, GLOBAL), indexedFields(globalShape));
    const audits = checkAudits(history, await readDocuments(search, AUDITS));
    const attachments = await checkAttachments(history, vertices, openAttachments(endpoints));
    const shapesNow = await readIndexShapes(search);
    const torn = new Map(graph.torn);
    for (const { txn, text } of lookups) torn.set(txn, [...(torn.get(txn) ?? []), text]);
    const report: ProofReport = {
      acked_before_T: history.expectations.filter((e) => e === 'required').length,
      missing: graph.missing.size,
      extra: graph.extra.size + graph.foreign.length + attachments.foreign.length,
      torn: torn.size,
      dangling: attachments.dangling.length,
      index_ghosts: index.ghosts.length,
      index_missing: index.missing.length,
      index_stale: index.stale.length,
      audits_missing: audits.missing.length,
      audits_extra: audits.extra.length,
      mapping_equal: isDeepStrictEqual(shapesNow, shapes),
      in_flight: history.expectations.filter((e) => e === 'open').length,
    };
    return {
      report,
      findings: {
        missing: named(history, graph.missing),
        extra: [...named(history, graph.extra), ...graph.foreign, ...attachments.foreign],
        torn: named(history, torn),
        dangling: attachments.dangling,
        deleted_by_failed: attachments.deletedByFailed,
        index_ghosts: index.ghosts,
        index_missing: index.missing,
        index_stale: index.stale,
        audits_missing: audits.missing,
        audits_extra: audits.extra,
        mapping: report.mapping_equal ? [] : [JSON.stringify({ before: shapes, now: shapesNow })],
      },
      seen: {
        vertices: vertices.length,
        lookups: [...history.indexed.values()].reduce((n, values) => n + values.size, 0),
        transactions: ledger.transactions.length,
        failed: countFailed(ledger),
        scanMs: Math.round(scanned - started),
        lookupMs: Math.round(lookedUp - scanned),
        totalMs: Math.round(performance.now() - started),
      },
    };
  } finally {
    gremlin.close();
    await search.close();
  }
}

function countFailed(ledger: Ledger): number {
  return ledger.transactions.filter((transaction) => transaction.error !== undefined).length;
}

function named(history: History, found: ReadonlyMap<number, readonly string[]>): string[] {
  return [...found].map(([txn, elements]) => {
    const { txn: id, kind } = history.transactions[txn] ?? { txn: '?', kind: '?' };
    const more = elements.length > 3 ? ` and ${elements.length - 3} more` : '';
    return `${id} (${kind}, ${history.expectations[txn]}): ${elements.slice(0, 3).join('; ')}${more}`;
  });
}
