import { createHash } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { FileOp, LedgerTransaction } from '../../../../lab/ledger/model.ts';
import { openAttachments } from '../../../../lab/load/attachment-store.ts';
import { checkAttachments } from '../../../../lab/proof/attachment-check.ts';
import type { ScannedVertex } from '../../../../lab/proof/graph-reader.ts';
import type { Expectation } from '../../../../lab/proof/history.ts';
import { temporaryFolder } from '../../support/folder.ts';

const sha = (text: string) => createHash('sha256').update(text).digest('hex');

/** Files as they lie there (name: content), vertices that refer to some, and transactions that wrote or deleted some. */
async function findings(o: {
  files: Record<string, string>;
  refers: string[];
  wrote: { op: FileOp['op']; text: string; acked: boolean; expected: Expectation }[];
}) {
  const root = await temporaryFolder();
  await mkdir(join(root, 'attachment'));
  for (const [name, text] of Object.entries(o.files)) await writeFile(join(root, 'attachment', name), text);
  const attachments = openAttachments({ attachmentsDir: root });
  const transactions = o.wrote.map(({ op, text, acked }) => ({
    ackedAtUs: acked ? 1 : undefined,
    files: [{ op, sha256: sha(text), size: text.length }],
  })) as LedgerTransaction[];
  const vertices = o.refers.map((text, i) => ({
    id: `v${i}`,
    label: 'Attachment',
    properties: [['attachmentId', sha(text)]],
  })) as ScannedVertex[];
  return checkAttachments({ transactions, expectations: o.wrote.map((w) => w.expected) }, vertices, attachments);
}

const put = (text: string, expected: Expectation = 'required') => ({ op: 'put', text, acked: true, expected }) as const;

describe('attachments', () => {
  test('that are referred to, there and whole are no finding; neither are files of transactions after T', async () => {
    const found = await findings({
      files: { [sha('a')]: 'a', [sha('later')]: 'later' },
      refers: ['a', 'a'],
      wrote: [put('a'), put('later', 'forbidden')],
    });
    expect(found).toEqual({ dangling: [], foreign: [], deletedByFailed: [] });
  });

  test('that are absent or hold something else are dangling', async () => {
    const found = await findings({
      files: { [sha('b')]: 'B' },
      refers: ['a', 'b'],
      wrote: [put('a'), put('b')],
    });
    expect(found.dangling).toHaveLength(2);
  });

  test('that no transaction wrote are foreign', async () => {
    const found = await findings({ files: { [sha('x')]: 'x' }, refers: [], wrote: [put('a')] });
    expect(found.foreign).toEqual([`attachment ${sha('x')}`]);
  });

  test('that a transaction of unknown outcome deleted are excused, unless it was sent after T', async () => {
    const of = (expected: Expectation) =>
      findings({
        files: {},
        refers: ['a'],
        wrote: [put('a'), { op: 'delete', text: 'a', acked: false, expected }],
      });
    expect(await of('open')).toMatchObject({ dangling: [], deletedByFailed: [expect.any(String)] });
    expect(await of('forbidden')).toMatchObject({ dangling: [expect.any(String)], deletedByFailed: [] });
  });
});
