import { mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Lab, withCql } from '../../lab/index.ts';
import { readLedger } from '../../lab/ledger/ledger-reader.ts';
import type { LedgerTransaction, Op } from '../../lab/ledger/model.ts';
import { attachmentPath } from '../../lab/load/attachment-files.ts';
import type { Endpoints } from '../../lab/load/endpoints.ts';
import { GremlinClient } from '../../lab/load/gremlin-client.ts';
import { labEndpoints } from '../../lab/load/lab-endpoints.ts';
import { ledgerFiles } from '../../lab/ledger/ledger-folder.ts';
import { runLoad } from '../../lab/load/load.ts';
import { startLoadProcess } from '../../lab/load/load-process.ts';
import { SearchClient } from '../../lab/load/search-client.ts';
import { keptIndexShapes } from '../../lab/load/setup.ts';
import { prove } from '../../lab/proof/prove.ts';
import { isProven, type Proof, type ProofReport } from '../../lab/proof/report.ts';
import { sharedLab } from './support/labs.ts';

let lab: Lab;
let endpoints: Endpoints;
let gremlin: GremlinClient;
let search: SearchClient;
let ledgerDir: string;

beforeAll(async () => {
  lab = await sharedLab();
  endpoints = await labEndpoints(lab.record);
  gremlin = new GremlinClient(endpoints.gremlinUrl);
  search = new SearchClient(endpoints.elasticsearch);
  ledgerDir = await mkdtemp(join(tmpdir(), 'skep-proof-'));
});

afterAll(async () => {
  gremlin?.close();
  await search?.close();
  if (ledgerDir) await rm(ledgerDir, { recursive: true });
});

function nowUs(): bigint {
  return BigInt((Date.now() + 2) * 1000);
}

async function proveNow(T = nowUs()): Promise<Proof> {
  return prove({ endpoints, ledgerFiles: await ledgerFiles(ledgerDir), T, shapes: await keptIndexShapes(ledgerDir) });
}

describe('a quiet load', () => {
  test(
    'is proven, also when its process was killed in mid-flight and another run went on',
    { timeout: 300_000 },
    async () => {
      const killed = await startLoadProcess({ endpoints, ledgerDir, seed: 'killed', liveCases: 4 });
      await waitFor(async () => (await killed.stats()).count >= 40);
      process.kill(killed.pid, 'SIGKILL');
      await expect(killed.ended).rejects.toThrow('the load ended');
      const load = await runLoad({ endpoints, ledgerDir, seed: 'next', liveCases: 4, transactions: 70 });
      await load.ended;
      expect(load.run).toBe(2);
      // Writers that keep no case make new ones only, which the controls below damage one by one.
      await (
        await runLoad({ endpoints, ledgerDir, seed: 'cases', liveCases: 0, transactions: 30 })
      ).ended;
      // What the killed process had sent is carried out without it: wait until the server is done with it.
      let proof = await proveNow();
      await waitFor(async () => isProven((proof = await proveNow()).report));
      expect(proof.report.acked_before_T).toBeGreaterThan(100);
      expect(proof.report.in_flight).toBeLessThanOrEqual(8 + proof.seen.failed);
    },
  );

  test('is not proven for a moment before a transaction that is there', async () => {
    const { transactions } = await readLedger(await ledgerFiles(ledgerDir));
    const last = Math.max(...transactions.map((t) => t.sentAtUs));
    const after = transactions.filter((t) => t.sentAtUs === last).length;
    const { report } = await proveNow(BigInt(last - 1));
    expect(report).toMatchObject({ missing: 0, extra: after, torn: 0, audits_extra: after });
  });
});

describe('the proof goes red', () => {
  /** New cases that nothing has touched since, so that one damage is one transaction. */
  let untouched: LedgerTransaction[];
  let before: ProofReport;

  beforeAll(async () => {
    untouched = untouchedCases((await readLedger(await ledgerFiles(ledgerDir))).transactions);
    before = (await proveNow()).report;
  });

  interface Damage {
    what: string;
    do: () => Promise<unknown>;
    change: Partial<ProofReport>;
  }

  // Damages that are proven together change different counts, so that each is seen by itself.
  const controls: Damage[][] = [
    [
      {
        what: 'a vertex is taken away',
        do: () => script(`g.V().has('uid', uid).drop().iterate()`, uidOf('Log')),
        change: { missing: 1, torn: 1 },
      },
      { what: 'an attachment is taken away', do: () => rm(fileOf()), change: { dangling: 1 } },
      {
        what: 'an index entry is taken away',
        do: async () => search.request('DELETE', `/thehive_global/_doc/${await documentOf(uidOf('Log'))}`),
        change: { index_missing: 1 },
      },
      {
        what: 'an audit entry is taken away',
        do: () => search.request('DELETE', `/thehive-audits/_doc/${someTxn()}`),
        change: { audits_missing: 1 },
      },
    ],
    [
      {
        what: 'a property is taken away',
        do: () => script(`g.V().has('uid', uid).properties('description').drop().iterate()`, uidOf('Case')),
        change: { missing: 1, torn: 1 },
      },
      {
        what: 'an attachment is added',
        do: () => writeFile(attachmentPath(endpoints.attachmentsDir, '0'.repeat(64)), 'forged'),
        change: { extra: 1 },
      },
      {
        what: 'an index entry is added',
        do: () => search.request('PUT', '/thehive_global/_doc/zzzz', { kind: 'Case' }),
        change: { index_ghosts: 1 },
      },
      {
        what: 'an audit entry is changed',
        do: () => search.request('PUT', `/thehive-audits/_doc/${someTxn()}`, { createdAt: 1 }),
        change: { audits_missing: 1 },
      },
    ],
    [
      {
        what: 'a property is changed',
        do: () => script(`g.V().has('uid', uid).property('title', 'forged').iterate()`, uidOf('Case')),
        change: { missing: 1, torn: 1 },
      },
      { what: 'a byte of an attachment is flipped', do: () => flipByte(fileOf()), change: { dangling: 1 } },
      {
        what: 'an index entry is older than its vertex',
        do: async () => makeStale(await documentOf(uidOf('Log'))),
        change: { index_stale: 1 },
      },
      {
        what: 'an audit entry is added',
        do: () => search.request('PUT', '/thehive-audits/_doc/forged', { createdAt: 1 }),
        change: { audits_extra: 1 },
      },
    ],
    [
      {
        what: 'an edge is taken away',
        do: () => script(`g.V().has('uid', uid).inE('TaskLog').drop().iterate()`, uidOf('Log')),
        change: { missing: 1, torn: 1 },
      },
      {
        what: 'a vertex is added',
        do: () => script(`g.addV('Case').property('kind', 'Case').iterate()`, 'none'),
        change: { extra: 1 },
      },
    ],
    [
      {
        what: 'a member of a set is added',
        do: () => script(`g.V().has('uid', uid).property('tags', 'forged').iterate()`, uidOf('Case')),
        change: { extra: 1 },
      },
      {
        what: 'the mapping is another',
        do: () => search.request('PUT', '/thehive_global/_mapping', { properties: { forged: { type: 'keyword' } } }),
        change: { mapping_equal: false },
      },
    ],
    [
      {
        what: 'an edge is added',
        do: () =>
          script(
            `g.V().has('uid', uid).as('c').addE('CaseTask').from('c').to('c').property('eid', 'forged').iterate()`,
            uidOf('Case'),
          ),
        change: { extra: 1 },
      },
    ],
  ];

  test.each(controls.map((damages) => [damages.map((d) => d.what).join(', and '), damages] as const))(
    'when %s',
    { timeout: 120_000 },
    async (_what, damages) => {
      for (const damage of damages) await damage.do();
      const { report, findings } = await proveNow();
      const expected = damages.reduce((now, { change }) => changed(now, change), before);
      expect(report, JSON.stringify(findings)).toEqual(expected);
      expect(isProven(report)).toBe(false);
      before = report;
    },
  );

  test('when the composite index no longer finds what the scan shows', { timeout: 120_000 }, async () => {
    await withCql(lab.record, (cql) => cql.execute('TRUNCATE thehive.graphindex'));
    const { report } = await proveNow();
    expect(report.torn).toBeGreaterThan(before.torn + 50);
    expect(report.missing).toBe(before.missing);
  });

  function takeCase(fits: (t: LedgerTransaction) => boolean = () => true): LedgerTransaction {
    const at = untouched.findIndex(fits);
    const [taken] = at < 0 ? [] : untouched.splice(at, 1);
    if (!taken) throw new Error('the load made too few cases that stayed untouched');
    return taken;
  }

  /** The uid of a vertex of this label, without attachment of its own, in a case that no other control uses. */
  function uidOf(label: string): string {
    return bareVertex(takeCase((t) => bareVertex(t.ops, label) !== undefined).ops, label) ?? '';
  }

  function someTxn(): string {
    return takeCase().txn;
  }

  function fileOf(): string {
    return attachmentPath(endpoints.attachmentsDir, takeCase((t) => t.files.length > 0).files[0]?.sha256 ?? '');
  }
});

function changed(report: ProofReport, change: Partial<ProofReport>): ProofReport {
  const result: Record<string, number | boolean> = { ...report };
  for (const [key, by] of Object.entries(change)) result[key] = typeof by === 'number' ? Number(result[key]) + by : by;
  return result as unknown as ProofReport;
}

/** The uid of a vertex of this label that the operations add and attach no file to. */
function bareVertex(ops: readonly Op[], label: string): string | undefined {
  const holders = new Set(ops.flatMap((op) => (op[0] === 'addE' && op[2].endsWith('Attachment') ? [op[3]] : [])));
  return ops.find((op) => op[0] === 'addV' && op[2] === label && !holders.has(op[1]))?.[1];
}

/** Acknowledged new cases that no later transaction names, whose contents no other transaction refers to. */
function untouchedCases(transactions: readonly LedgerTransaction[]): LedgerTransaction[] {
  return transactions.filter(({ txn, kind, ackedAtUs, ops }) => {
    if (kind !== 'case-new' || ackedAtUs === undefined) return false;
    const names = ops.flatMap((op) => (op[0] === 'addV' ? [op[1], String(op[3]['attachmentId'] ?? op[1])] : []));
    return transactions.every((other) => {
      const text = JSON.stringify(other.ops);
      return other.txn === txn || names.every((name) => !text.includes(`"${name}"`));
    });
  });
}

async function script(steps: string, uid: string): Promise<void> {
  await gremlin.submit(`graph.tx().rollback(); ${steps}; graph.tx().commit(); 'done'`, { uid });
}

async function documentOf(uid: string): Promise<string> {
  const [id = ''] = await gremlin.submit(`g.V().has('uid', uid).id().next().toString()`, { uid });
  return BigInt(id).toString(36);
}

async function makeStale(id: string): Promise<void> {
  const { _source } = (await search.request('GET', `/thehive_global/_doc/${id}`)) as { _source: object };
  await search.request('PUT', `/thehive_global/_doc/${id}`, { ..._source, message: 'older', message__STRING: 'older' });
}

async function flipByte(path: string): Promise<void> {
  const file = await open(path, 'r+');
  try {
    const { buffer } = await file.read(Buffer.alloc(1), 0, 1, 0);
    await file.write(Buffer.from([(buffer[0] ?? 0) ^ 1]), 0, 1, 0);
  } finally {
    await file.close();
  }
}

async function waitFor(condition: () => Promise<boolean>): Promise<void> {
  const end = Date.now() + 120_000;
  while (!(await condition())) {
    if (Date.now() > end) throw new Error('the condition did not come true in time');
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}
