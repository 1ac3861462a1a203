import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Ledger } from '../../../../lab/ledger/ledger-reader.ts';
import type { Op } from '../../../../lab/ledger/model.ts';
import { classify } from '../../../../lab/proof/classify.ts';
import { graphState } from '../../../../lab/proof/graph-state.ts';
import { buildHistory } from '../../../../lab/proof/history.ts';
import type { ScannedVertex } from '../../../../lab/proof/graph-reader.ts';
import { FakeGraph } from './fake-graph.ts';
import { ledgerOf, madeLedger, transaction } from './fake-ledger.ts';

const CREATE: Op[] = [
  ['addV', 'case', 'Case', { title: 'first', tags: ['a'] }],
  ['addV', 'obs', 'Observable', { hash: 'h1' }],
  ['addE', 'edge', 'CaseObservable', 'case', 'obs'],
];
const UPDATE: Op[] = [
  ['set', 'case', 'title', 'second'],
  ['set', 'obs', 'hash', 'h2'],
];
const DELETE: Op[] = [
  ['set', 'case', 'title', 'third'],
  ['delV', 'obs'],
];
const LEDGER = ledgerOf([
  transaction('1-0-1', 10, CREATE),
  transaction('1-0-2', 20, UPDATE),
  transaction('1-0-3', 30, DELETE),
]);

/** Transactions by verdict, by their ids. */
function judge(
  ledger: Ledger,
  T: number,
  vertices: ScannedVertex[],
): Record<'missing' | 'extra' | 'torn' | 'foreign', string[]> {
  const history = buildHistory(ledger, BigInt(T));
  const found = classify(history, graphState(vertices));
  const ids = (map: ReadonlyMap<number, unknown>): string[] =>
    [...map.keys()].map((i) => history.transactions[i]?.txn ?? '?');
  return { missing: ids(found.missing), extra: ids(found.extra), torn: ids(found.torn), foreign: found.foreign };
}

function graphAfter(...steps: Op[][]): FakeGraph {
  const graph = new FakeGraph();
  for (const ops of steps) graph.run(ops);
  return graph;
}

const NOTHING = { missing: [], extra: [], torn: [], foreign: [] };

describe('a graph as it should be', () => {
  test('shows every acknowledged transaction, however often it was superseded', () => {
    expect(judge(LEDGER, 99, graphAfter(CREATE, UPDATE, DELETE).scan())).toEqual(NOTHING);
  });

  test('lacks what was sent after T', () => {
    expect(judge(LEDGER, 26, graphAfter(CREATE, UPDATE).scan())).toEqual(NOTHING);
    expect(judge(LEDGER, 5, [])).toEqual(NOTHING);
  });

  test('has a transaction in flight at T whole or not at all', () => {
    expect(judge(LEDGER, 32, graphAfter(CREATE, UPDATE).scan())).toEqual(NOTHING);
    expect(judge(LEDGER, 32, graphAfter(CREATE, UPDATE, DELETE).scan())).toEqual(NOTHING);
  });

  test('has a failed transaction whole or not at all', () => {
    const failed = ledgerOf([
      transaction('1-0-1', 10, CREATE),
      transaction('1-0-2', 20, UPDATE, { ackedAtUs: undefined, error: 'x' }),
    ]);
    expect(judge(failed, 99, graphAfter(CREATE).scan())).toEqual(NOTHING);
    expect(judge(failed, 99, graphAfter(CREATE, UPDATE).scan())).toEqual(NOTHING);
  });
});

describe('a graph that is not', () => {
  test('misses a required update', () => {
    expect(judge(LEDGER, 26, graphAfter(CREATE).scan())).toEqual({ ...NOTHING, missing: ['1-0-2'] });
  });

  test('misses a required deletion, which takes nothing from the update that the deletion removed', () => {
    expect(judge(LEDGER, 99, graphAfter(CREATE, UPDATE).scan())).toEqual({ ...NOTHING, missing: ['1-0-3'] });
  });

  test('holds a forbidden update', () => {
    expect(judge(LEDGER, 16, graphAfter(CREATE, UPDATE).scan())).toEqual({ ...NOTHING, extra: ['1-0-2'] });
  });

  test('holds half of an update in flight', () => {
    const graph = graphAfter(CREATE, UPDATE);
    graph.vertex('obs').properties.set('hash', 'h1');
    expect(judge(LEDGER, 22, graph.scan())).toEqual({ ...NOTHING, torn: ['1-0-2'] });
  });

  test('holds the deletion of a row that was issued after T, without the rest of its transaction', () => {
    const graph = graphAfter(CREATE, UPDATE);
    graph.run([['delV', 'obs']]);
    expect(judge(LEDGER, 26, graph.scan())).toEqual({ ...NOTHING, extra: ['1-0-3'], torn: ['1-0-3'] });
  });

  test('holds a whole deletion that was issued after T', () => {
    const ledger = ledgerOf([transaction('1-0-1', 10, CREATE), transaction('1-0-2', 20, [['delV', 'obs']])]);
    const graph = graphAfter(CREATE, [['delV', 'obs']]);
    expect(judge(ledger, 16, graph.scan())).toEqual({ ...NOTHING, extra: ['1-0-2'] });
  });

  test('has an edge on one side only', () => {
    const ledger = ledgerOf([transaction('1-0-1', 10, CREATE)]);
    expect(
      judge(
        ledger,
        26,
        graphAfter(CREATE).scan((side) => side === 'i'),
      ),
    ).toEqual({
      ...NOTHING,
      missing: ['1-0-1'],
      torn: ['1-0-1'],
    });
  });

  test('has lost one side of an edge to a deletion that was issued after T', () => {
    const found = judge(
      LEDGER,
      26,
      graphAfter(CREATE, UPDATE).scan((side) => side === 'i'),
    );
    expect(found).toEqual({ ...NOTHING, extra: ['1-0-3'], torn: ['1-0-3'] });
  });

  test('leaves an edge to a vertex that is deleted', () => {
    const graph = graphAfter(CREATE, UPDATE, DELETE);
    graph.edges.set('edge', { label: 'CaseObservable', out: 'case', in: 'gone' });
    const found = judge(LEDGER, 99, graph.scan());
    expect(found.missing).not.toEqual([]);
  });

  test('holds a value that nobody wrote', () => {
    const graph = graphAfter(CREATE, UPDATE);
    graph.vertex('obs').properties.set('hash', 'forged');
    expect(judge(LEDGER, 26, graph.scan())).toEqual({ ...NOTHING, missing: ['1-0-2'], torn: ['1-0-2'] });
  });

  test('holds a vertex, a member, an edge that nobody wrote', () => {
    const graph = graphAfter(CREATE, UPDATE, [
      ['addV', 'alien', 'Case', { title: 'x' }],
      ['add', 'case', 'tags', 'alien'],
      ['addE', 'alien', 'CaseObservable', 'case', 'obs'],
    ]);
    const { foreign, ...rest } = judge(LEDGER, 26, graph.scan());
    expect(rest).toEqual({ missing: [], extra: [], torn: [] });
    expect(foreign).toHaveLength(3);
  });

  test('holds an empty shell of a vertex', () => {
    const shell: ScannedVertex = { id: '8', label: 'vertex', properties: [], outEdges: [], inEdges: [] };
    expect(judge(LEDGER, 26, [...graphAfter(CREATE, UPDATE).scan(), shell]).foreign).toHaveLength(1);
  });
});

test('what an earlier run sent after a restore stays forbidden for later moments', () => {
  const ledger = ledgerOf(LEDGER.transactions, [{ T: 26, atUs: 50 }]);
  expect(judge(ledger, 99, graphAfter(CREATE, UPDATE).scan())).toEqual(NOTHING);
  expect(judge(ledger, 99, graphAfter(CREATE, UPDATE, DELETE).scan()).extra).toEqual(['1-0-3']);
});

describe('whatever the writers do', { timeout: 60_000 }, () => {
  const anyCut = {
    seed: fc.string({ minLength: 1 }),
    part: fc.double({ min: 0, max: 1, noNaN: true }),
    coin: fc.integer(),
  };

  test('a cut at any moment, with those in flight in or out, is found whole', () => {
    fc.assert(
      fc.property(fc.record(anyCut), ({ seed, part, coin }) => {
        const ledger = madeLedger(seed, 40);
        const T = cutTime(ledger, part);
        const graph = new FakeGraph();
        for (const t of ledger.transactions) {
          const open = t.sentAtUs <= T && (t.ackedAtUs ?? Infinity) >= T;
          if ((t.ackedAtUs ?? Infinity) < T || (open && ((coin >> t.writer) & 1) === 1)) graph.run(t.ops);
        }
        expect(judge(ledger, T, graph.scan())).toEqual(NOTHING);
      }),
      { numRuns: 25 },
    );
  });

  test('the deletions and updates of a transaction that was sent after T are found when they leak', () => {
    fc.assert(
      fc.property(fc.record(anyCut), ({ seed, part }) => {
        const ledger = madeLedger(seed, 40);
        const changes = ledger.transactions.filter((t) => t.kind !== 'case-new');
        const leak = changes[Math.floor(part * (changes.length - 1))];
        const T = (leak?.sentAtUs ?? 0) - 1;
        const graph = new FakeGraph();
        for (const t of ledger.transactions) if ((t.ackedAtUs ?? Infinity) < T) graph.run(t.ops);
        graph.run(leak?.ops.filter((op) => op[0] !== 'addV' && op[0] !== 'addE') ?? []);
        expect(judge(ledger, T, graph.scan()).extra).toContain(leak?.txn);
      }),
      { numRuns: 25 },
    );
  });

  test('a lost property, member, edge or vertex is always found', () => {
    fc.assert(
      fc.property(fc.record(anyCut), ({ seed, part, coin }) => {
        const ledger = madeLedger(seed, 25);
        const T = cutTime(ledger, 0.3 + part * 0.7);
        const graph = new FakeGraph();
        for (const t of ledger.transactions) if ((t.ackedAtUs ?? Infinity) < T) graph.run(t.ops);
        fc.pre(graph.edges.size > 0);
        const vertices = [...graph.vertices.entries()];
        const [uid, victim] = vertices[Math.abs(coin) % vertices.length] ?? ['', undefined];
        const key = [...(victim?.properties.keys() ?? [])].find((k) => !['uid', 'tags'].includes(k));
        if (coin % 3 === 0) graph.run([['delV', uid]]);
        else if (coin % 3 === 1) graph.edges.delete([...graph.edges.keys()][Math.abs(coin) % graph.edges.size] ?? '');
        else victim?.properties.delete(key ?? '');
        const found = judge(ledger, T, graph.scan());
        // Torn alone: what is lost is what a transaction in flight would have deleted.
        expect(found.missing.length + found.extra.length + found.torn.length).toBeGreaterThan(0);
      }),
      { numRuns: 25 },
    );
  });
});

function cutTime(ledger: Ledger, part: number): number {
  const times = ledger.transactions.map((t) => t.sentAtUs);
  const first = times[0] ?? 0;
  return Math.round(first + ((times.at(-1) ?? 0) + 1000 - first) * part);
}

describe('a vertex that is taken away', () => {
  test('is red too when a transaction after T deletes it: as missing, or as that deletion leaked', () => {
    const ledger = ledgerOf([transaction('1-0-1', 10, CREATE), transaction('1-0-3', 30, DELETE)]);
    const { missing, extra } = judge(ledger, 26, graphAfter(CREATE, [['delV', 'obs']]).scan());
    expect([...missing, ...extra]).not.toEqual([]);
  });
});
