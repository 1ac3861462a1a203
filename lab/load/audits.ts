import type { Audit } from '../ledger/model.ts';
import type { SearchClient } from './search-client.ts';

/** The alias that the application writes through, and the first index behind it. */
export const AUDITS = 'thehive-audits';
const FIRST_INDEX = 'thehive-audits-000001';

const MAPPINGS = {
  dynamic: 'strict',
  properties: {
    createdAt: { type: 'date', format: 'epoch_millis' },
    action: { type: 'keyword' },
    objectType: { type: 'keyword' },
    objectId: { type: 'keyword' },
    details: { type: 'text', fields: { raw: { type: 'keyword', ignore_above: 4096 } } },
  },
};

/** Makes the audits' template and first index with its write alias; does nothing where the alias is there. */
export async function createAudits(search: SearchClient, replicas: number): Promise<void> {
  await search.request('PUT', `/_index_template/${AUDITS}`, {
    index_patterns: [`${AUDITS}-*`],
    priority: 200,
    template: { settings: { number_of_shards: 1, number_of_replicas: replicas }, mappings: MAPPINGS },
  });
  if ((await search.find(`/_alias/${AUDITS}`)) !== undefined) return;
  await search.request('PUT', `/${FIRST_INDEX}`, { aliases: { [AUDITS]: { is_write_index: true } } });
}

/** Writes the audit entry of a transaction. A retry writes the same document again. */
export async function writeAudit(search: SearchClient, txn: string, audit: Audit): Promise<void> {
  await search.request('PUT', `/${AUDITS}/_doc/${txn}`, audit);
}
