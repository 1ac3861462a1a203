import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { snapshotFiles, snapshotTags, tableFolder } from '../../../../src/drivers/cassandra/snapshot-files.ts';
import { temporaryFolder } from '../../support/folder.ts';

const ID = '5a1c395e-b41f-11e5-9f22-ba0be0483c18';
const HEX = ID.replaceAll('-', '');
const cases = { id: ID, name: 'cases' };
const SSTABLE = { 'Data.db': 'data', 'Index.db': 'i', 'TOC.txt': 'Data.db\nIndex.db\nTOC.txt\n' };

/** Writes files below a folder; keys are paths. */
async function files(root: string, tree: Record<string, string>): Promise<void> {
  for (const [path, text] of Object.entries(tree)) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), text);
  }
}

/** An SSTable under a prefix such as `…/snapshots/tag/nb-1-big-`. */
function sstable(prefix: string, components: Record<string, string> = SSTABLE): Record<string, string> {
  return Object.fromEntries(Object.entries(components).map(([c, text]) => [`${prefix}${c}`, text]));
}

const snapshot = (folder: string, tag = 't') => `thehive/${folder}/snapshots/${tag}`;

describe('the files of a snapshot', () => {
  test('are those of the table with the id, not of a dropped one of the same name', async () => {
    const root = await temporaryFolder();
    const dropped = tableFolder({ id: '0'.repeat(32), name: 'cases' });
    await files(root, {
      ...sstable(`${snapshot(`cases-${HEX}`)}/nb-1-big-`),
      ...sstable(`${snapshot(dropped)}/nb-9-big-`),
      ...sstable(`${snapshot(`cases-${HEX}`, 'other')}/nb-8-big-`),
    });
    const found = await snapshotFiles([root], 'thehive', 't', [cases]);
    expect(found.map((f) => f.path)).toEqual(
      Object.keys(SSTABLE)
        .map((c) => `cases-${HEX}/nb-1-big-${c}`)
        .sort(),
    );
    expect(found[0]).toMatchObject({ size: 4, absolute: join(root, snapshot(`cases-${HEX}`), 'nb-1-big-Data.db') });
    // The id as the folder has it means the same table.
    expect(await snapshotFiles([root], 'thehive', 't', [{ id: HEX, name: 'cases' }])).toEqual(found);
  });

  test('come from all data directories, secondary indexes with their folder, without the snapshot’s own files', async () => {
    const [one, two] = [await temporaryFolder(), await temporaryFolder()];
    const at = snapshot(`cases-${HEX}`);
    await files(one, { ...sstable(`${at}/nb-1-big-`), [`${at}/manifest.json`]: '{}', [`${at}/schema.cql`]: 'x' });
    await files(two, { ...sstable(`${at}/nb-2-big-`), ...sstable(`${at}/.by_title/nb-1-big-`) });
    const paths = (await snapshotFiles([one, two], 'thehive', 't', [cases])).map((f) => f.path);
    expect(paths).toEqual([...paths].sort());
    expect(paths.filter((p) => p.endsWith('Data.db'))).toEqual([
      `cases-${HEX}/.by_title/nb-1-big-Data.db`,
      `cases-${HEX}/nb-1-big-Data.db`,
      `cases-${HEX}/nb-2-big-Data.db`,
    ]);
    expect(paths).toHaveLength(9);
  });

  test('of an empty table are none, but its folder must be there', async () => {
    const root = await temporaryFolder();
    await files(root, { [`${snapshot(`cases-${HEX}`)}/manifest.json`]: '{}' });
    expect(await snapshotFiles([root], 'thehive', 't', [cases])).toEqual([]);
    const tables = [cases, { id: '1'.repeat(32), name: 'logs' }, { id: '2'.repeat(32), name: 'tasks' }];
    await expect(snapshotFiles([root], 'thehive', 't', tables)).rejects.toMatchObject({
      code: 'snapshot-failed',
      exitCode: 3,
      context: { tag: 't', missing: ['logs', 'tasks'] },
    });
  });

  test('lack nothing that a TOC names, and no TOC', async () => {
    const at = `${snapshot(`cases-${HEX}`)}/nb-1-big-`;
    for (const gone of ['Data.db', 'Index.db', 'TOC.txt']) {
      const root = await temporaryFolder();
      const { [gone]: _, ...rest } = SSTABLE as Record<string, string>;
      await files(root, sstable(at, rest));
      await expect(snapshotFiles([root], 'thehive', 't', [cases])).rejects.toMatchObject({
        code: 'snapshot-failed',
        message: expect.stringMatching(/nb-1-big-/),
      });
    }
  });

  test('need no TOC where an SSTable was streamed as a whole, but what it cannot be read without', async () => {
    const big = ['Data.db', 'Index.db', 'Statistics.db', 'CompressionInfo.db'];
    const uncompressed = ['Data.db', 'Index.db', 'Statistics.db', 'CRC.db'];
    const tries = ['Data.db', 'Partitions.db', 'Rows.db', 'Statistics.db', 'CompressionInfo.db'];
    for (const [format, needed] of [
      ['big', big],
      ['big', uncompressed],
      ['bti', tries],
    ] as const) {
      const at = `${snapshot(`cases-${HEX}`)}/nb-3gfp_0z8m_1k-${format}-`;
      const streamed = Object.fromEntries([...needed, 'Filter.db', 'Digest.crc32'].map((c) => [c, c]));
      const root = await temporaryFolder();
      await files(root, sstable(at, streamed));
      expect(await snapshotFiles([root], 'thehive', 't', [cases])).toHaveLength(needed.length + 2);
      for (const gone of needed) {
        const other = await temporaryFolder();
        const { [gone]: _, ...rest } = streamed;
        await files(other, sstable(at, rest));
        await expect(snapshotFiles([other], 'thehive', 't', [cases]), gone).rejects.toMatchObject({
          code: 'snapshot-failed',
          message: expect.stringContaining('which it cannot be read without'),
        });
      }
    }
  });

  test('of a format that is not known need a TOC', async () => {
    const root = await temporaryFolder();
    const at = `${snapshot(`cases-${HEX}`)}/`;
    await files(root, { [`${at}notes`]: '', ...sstable(`${at}zz-1-other-`) });
    expect(await snapshotFiles([root], 'thehive', 't', [cases])).toHaveLength(4);
    await files(root, { [`${at}zz-2-new-Data.db`]: '' });
    await expect(snapshotFiles([root], 'thehive', 't', [cases])).rejects.toMatchObject({
      message: expect.stringContaining('its format is not known'),
    });
  });

  test('that vanish while they are listed fail with a type: the snapshot was cleared', async () => {
    const root = await temporaryFolder();
    const at = snapshot(`cases-${HEX}`);
    await files(root, { [`${at}/manifest.json`]: '{}' });
    await symlink(join(root, 'none'), join(root, at, 'nb-1-big-Data.db'));
    await expect(snapshotFiles([root], 'thehive', 't', [cases])).rejects.toMatchObject({ code: 'snapshot-failed' });
  });

  test('with names of any kind of SSTable are checked in the same way', async () => {
    const root = await temporaryFolder();
    const at = snapshot(`cases-${HEX}`);
    const sai = {
      'Data.db': '',
      'SAI+aa+by_title+Meta.db': '',
      'TOC.txt': 'Data.db\nSAI+aa+by_title+Meta.db\nTOC.txt',
    };
    await files(root, {
      ...sstable(`${at}/da-3g1a_0abc_2xyz-bti-`, sai),
      ...sstable(`${at}/oa-2-big-`),
    });
    expect(await snapshotFiles([root], 'thehive', 't', [cases])).toHaveLength(6);
  });
});

describe('the tags of snapshots', () => {
  test('are those with the prefix, over all tables and directories, once each', async () => {
    const [one, two] = [await temporaryFolder(), await temporaryFolder()];
    await files(one, {
      [`${snapshot('a-1', 'skep-2')}/x`]: '',
      [`${snapshot('b-1', 'skep-1')}/x`]: '',
      [`${snapshot('b-1', 'mine')}/x`]: '',
    });
    await files(two, { [`${snapshot('a-1', 'skep-2')}/x`]: '', 'thehive/no-snapshots/x': '' });
    expect(await snapshotTags([one, two, join(one, 'none')], 'thehive', 'skep-')).toEqual(['skep-1', 'skep-2']);
  });
});
