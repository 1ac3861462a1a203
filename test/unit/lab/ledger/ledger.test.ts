import { appendFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ackedMicros, sentMicros } from '../../../../lab/ledger/clock.ts';
import { readLedger } from '../../../../lab/ledger/ledger-reader.ts';
import { LedgerWriter } from '../../../../lab/ledger/ledger-writer.ts';
import type { Line } from '../../../../lab/ledger/model.ts';

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'skep-ledger-'));
  path = join(folder, 'run-0001.ndjson');
});
afterEach(() => rm(folder, { recursive: true }));

const RUN: Line = { t: 'run', run: 1, seed: 's', writers: 1, startedAtUs: 1 };

function intent(seq: number): Line {
  const audit = { createdAt: seq, action: 'create', objectType: 'Case', objectId: 'c', details: 'd' };
  return {
    t: 'intent',
    txn: `1-0-${seq}`,
    writer: 0,
    seq,
    kind: 'k',
    sentAtUs: seq,
    ops: [['delV', 'x']],
    files: [],
    audit,
  };
}

test('a line is in the file as soon as its append has resolved, whoever appends at the same time', async () => {
  const ledger = await LedgerWriter.create(path);
  await ledger.append(RUN);
  await Promise.all(
    Array.from({ length: 200 }, async (_, i) => {
      await ledger.append(intent(i));
      expect(await readFile(path, 'utf8')).toContain(`"txn":"1-0-${i}"`);
      await ledger.append({ t: 'ack', txn: `1-0-${i}`, ackedAtUs: 5, ms: 1 });
    }),
  );
  await ledger.close();
  const { transactions } = await readLedger([path]);
  expect(transactions).toHaveLength(200);
  expect(transactions.every((t) => t.ackedAtUs === 5)).toBe(true);
});

test('a run never writes into the ledger of another', async () => {
  await (await LedgerWriter.create(path)).close();
  await expect(LedgerWriter.create(path)).rejects.toThrow('EEXIST');
});

test('a torn last line is left out, and its transaction is one whose outcome is unknown', async () => {
  const lines = [RUN, intent(1), { t: 'ack', txn: '1-0-1', ackedAtUs: 9, ms: 1 }, intent(2)];
  await writeFile(path, lines.map((line) => JSON.stringify(line) + '\n').join(''));
  await appendFile(path, '{"t":"ack","txn":"1-0-2","acked');
  const { transactions } = await readLedger([path]);
  expect(transactions.map((t) => [t.txn, t.ackedAtUs])).toEqual([
    ['1-0-1', 9],
    ['1-0-2', undefined],
  ]);
});

test('damage before the last line is an error', async () => {
  await writeFile(path, `${JSON.stringify(RUN)}\n{"t":"int\n${JSON.stringify(intent(1))}\n`);
  await expect(readLedger([path])).rejects.toThrow('damaged at line 2');
});

test('the clock never claims more than it knows: sent is not after, acknowledged not before', () => {
  expect(sentMicros(1_700_000_000_123)).toBe(1_700_000_000_123_000);
  expect(ackedMicros(1_700_000_000_123)).toBe(1_700_000_000_124_000);
});
