import fc from 'fast-check';
import { expect, test } from 'vitest';
import { GraphModel } from '../../../../lab/ledger/graph-model.ts';
import { Contents, type CaseState } from '../../../../lab/load/case-state.ts';
import { Draft } from '../../../../lab/load/draft.ts';
import { KINDS, writeAnyKind } from '../../../../lab/load/kinds.ts';
import { Random } from '../../../../lab/load/random.ts';

const MIN_AGE_MS = 2_000;

/** The drafts of one writer that sends one each 500 ms. */
function drafts(seed: string, count: number): { draft: Draft; kind: string }[] {
  const random = new Random(seed);
  const contents = new Contents(MIN_AGE_MS);
  const cases: CaseState[] = [];
  return Array.from({ length: count }, (_, i) => {
    const draft = new Draft({ txn: `1-0-${i}`, seq: i, caseNumber: i, random, contents, nowMs: i * 500 });
    return { kind: writeAnyKind(draft, { cases, contents }).kind, draft };
  });
}

test(
  'every transaction changes something, and gives no element a state that it had before',
  { timeout: 60_000 },
  () => {
    fc.assert(
      fc.property(fc.string(), (seed) => {
        const model = new GraphModel();
        const seen = new Map<string, Set<string>>();
        for (const { draft, kind } of drafts(seed, 80)) {
          const effects = model.apply(draft.ops);
          expect(effects.size, kind).toBeGreaterThan(0);
          for (const [element, state] of effects) {
            if (state === null) continue;
            const states = seen.get(element) ?? new Set();
            expect(states.has(state), `${element} = ${state}`).toBe(false);
            seen.set(element, states.add(state));
          }
        }
      }),
      { numRuns: 15 },
    );
  },
);

test(
  'a file goes with its last Attachment vertex, never before, and never before it is two seconds old',
  { timeout: 60_000 },
  () => {
    fc.assert(
      fc.property(fc.string(), (seed) => {
        const born = new Map<string, number>();
        const references = new Map<string, Set<string>>();
        for (const { draft } of drafts(seed, 120)) {
          for (const { sha256 } of draft.puts) born.set(sha256, draft.nowMs);
          for (const op of draft.ops) {
            if (op[0] === 'addV' && op[2] === 'Attachment') {
              const sha256 = String(op[3]['attachmentId']);
              references.set(sha256, (references.get(sha256) ?? new Set()).add(op[1]));
            }
            if (op[0] === 'delV') for (const uids of references.values()) uids.delete(op[1]);
          }
          const unreferenced = [...references].filter(([, uids]) => uids.size === 0).map(([sha256]) => sha256);
          expect(draft.deletes.map((content) => content.sha256).sort()).toEqual(unreferenced.sort());
          for (const sha256 of unreferenced) {
            expect(draft.nowMs - (born.get(sha256) ?? Infinity)).toBeGreaterThanOrEqual(MIN_AGE_MS);
            references.delete(sha256);
          }
        }
      }),
      { numRuns: 15 },
    );
  },
);

test('a day has transactions of every kind', () => {
  const kinds = new Set(drafts('day', 600).map(({ kind }) => kind));
  expect([...kinds].sort()).toEqual(Object.keys(KINDS).sort());
});

test('the same seed makes the same transactions', () => {
  const ops = (seed: string): string => JSON.stringify(drafts(seed, 50).map(({ draft }) => draft.ops));
  expect(ops('a')).toBe(ops('a'));
  expect(ops('a')).not.toBe(ops('b'));
});
