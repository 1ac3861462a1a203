import { createHash } from 'node:crypto';
import { cp, mkdtemp, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { type Manifest, openRepository } from '../../../src/repository/index.ts';
import { temporaryFolder } from '../../unit/support/folder.ts';
import { buildRepository, writeConfig } from './support/repository.ts';
import { errorOf, skep } from './support/skep.ts';

const OWNER = { run: '20260101T000000Z-0123456789ab', host: 'backup-server', pid: 4711 };

let root: string;
/** Oldest first. */
const backups: Manifest[] = [];

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'skep-cli-'));
  const built = await buildRepository(root);
  for (const n of [1, 2, 3, 4, 5])
    backups.push(await built.backUp({ files: { 'attachment/a': `of ${n}`, all: 'all' } }));
});
afterAll(() => rm(root, { recursive: true, force: true }));

/** A copy of the repository, a configuration with some `retention`, and skep on it. */
async function copy(retention: object = {}) {
  const folder = await temporaryFolder();
  const location = join(folder, 'repository');
  await cp(join(root, 'repository'), location, { recursive: true });
  const config = await writeConfig(folder, { repository: location });
  const yaml = parse(await readFile(config, 'utf8')) as { clusters: { prod: Record<string, unknown> } };
  yaml.clusters.prod['retention'] = { ballast: '1MB', ...retention };
  await writeFile(config, stringify(yaml));
  return {
    location,
    run: (...args: string[]) => skep([...args, '--config', config, '--json']),
    text: (...args: string[]) => skep([...args, '--config', config]),
    ids: async () => (await (await openRepository(location)).list()).map((b) => b.id),
    object: (content: string) => {
      const name = createHash('sha256').update(content).digest('hex');
      return join(location, 'objects', name.slice(0, 2), name);
    },
  };
}

const idOf = (n: number) => backups[n]!.id;
const there = (path: string) =>
  stat(path).then(
    () => true,
    () => false,
  );

describe('forget', () => {
  test('shows what goes and why the rest stays, changes nothing in a dry run, then does it', async () => {
    const c = await copy();
    const dry = await c.text('forget', '--keep-last', '3', '--dry-run');
    expect(dry.exitCode).toBe(0);
    expect(dry.stdout).toMatch(new RegExp(`^keep    ${idOf(4)}  2026-11-23 02:13:20  last 1$`, 'm'));
    expect(dry.stdout).toMatch(new RegExp(`^forget  ${idOf(1)}`, 'm'));
    expect(dry.stdout).toContain('2 of 5 backups would be forgotten; nothing was changed');
    expect(await c.ids()).toHaveLength(5);
    const ran = await c.run('forget', '--keep-last', '3');
    expect(ran.events).toMatchObject([
      { type: 'result', command: 'forget', dryRun: false, forgotten: [idOf(1), idOf(0)] },
    ]);
    expect(await c.ids()).toEqual([idOf(4), idOf(3), idOf(2)]);
  });

  test('takes its rules from the configuration, and ids by their beginning', async () => {
    const c = await copy({ keep_last: 4 });
    expect((await c.run('forget')).events[0]).toMatchObject({ forgotten: [idOf(0)] });
    expect((await c.run('forget', idOf(2))).events[0]).toMatchObject({ forgotten: [idOf(2)] });
    expect(await c.ids()).toEqual([idOf(4), idOf(3), idOf(1)]);
  });

  test('never goes below the minimum: exit 5, and nothing was forgotten', async () => {
    const c = await copy();
    const ran = await c.run('forget', '--keep-last', '1');
    expect(ran.exitCode).toBe(5);
    expect(errorOf(ran)).toMatchObject({
      code: 'below-minimum',
      context: { left: 1, minimum: 3 },
      hint: expect.stringContaining('retention.minimum'),
    });
    expect(await c.ids()).toHaveLength(5);
  });

  test('without a rule is exit 2', async () => {
    const c = await copy();
    expect(errorOf(await c.run('forget'))).toMatchObject({
      code: 'usage',
      hint: expect.stringContaining('--keep-daily'),
    });
    expect((await c.run('forget', '--keep-last', 'many')).exitCode).toBe(2);
    const both = await c.run('forget', 'latest', '--keep-last', '3');
    expect(both.exitCode).toBe(2);
    expect(errorOf(both)).toMatchObject({ code: 'usage', hint: expect.stringContaining('--keep-') });
    expect((await c.run('forget', '--keep-within', 'long')).exitCode).toBe(2);
  });
});

describe('prune', () => {
  test('that nobody confirmed shows what it would free; with --yes it frees it, and the ballast is there', async () => {
    const c = await copy({ keep_last: 3 });
    await c.run('forget');
    const asked = await c.text('prune');
    expect(asked).toMatchObject({
      exitCode: 0,
      stdout: expect.stringContaining('nothing was removed: run `skep prune --yes`'),
    });
    expect(asked.stdout).toMatch(/^\d.* can be freed: 2 objects and \d+ pieces/);
    expect(await there(c.object('of 1'))).toBe(true);
    const ran = await c.run('prune', '--yes');
    expect(ran.exitCode).toBe(0);
    expect(ran.events.at(-1)).toMatchObject({
      type: 'result',
      command: 'prune',
      dryRun: false,
      objects: 2,
      ballast: 'made',
    });
    expect([await there(c.object('of 1')), await there(c.object('of 3')), await there(c.object('all'))]).toEqual([
      false,
      true,
      true,
    ]);
    expect((await stat(join(c.location, 'ballast'))).size).toBe(1_000_000);
    expect((await c.run('verify', '--level', 'data')).exitCode).toBe(0);
  });

  test('that cannot tell what a backup needs removes nothing: exit 4; it goes when that backup is forgotten', async () => {
    const c = await copy();
    await c.run('forget', idOf(0));
    await truncate(join(c.location, 'backups', idOf(1), 'manifest.json'), 50);
    const ran = await c.run('prune', '--yes');
    expect(ran.exitCode).toBe(4);
    expect(errorOf(ran)).toMatchObject({
      code: 'damage-found',
      hint: expect.stringContaining(`skep forget ${idOf(1)}`),
    });
    expect(await there(c.object('of 1'))).toBe(true);
    expect((await c.run('forget', idOf(1))).exitCode).toBe(0);
    expect((await c.run('prune', '--yes')).events.at(-1)).toMatchObject({ objects: 2 });
    expect((await c.run('verify', '--level', 'data')).exitCode).toBe(0);
  });

  test('beside another prune is exit 11 and names its owner', async () => {
    const c = await copy();
    const lease = await (await openRepository(c.location)).acquireLease('delete', OWNER);
    onTestFinished(() => lease.release());
    const ran = await c.run('prune', '--yes');
    expect(ran.exitCode).toBe(11);
    expect(errorOf(ran)).toMatchObject({ code: 'locked', message: expect.stringContaining('backup-server (pid 4711') });
  });
});

describe('unlock', () => {
  test('shows who holds what, and takes nothing from the living', async () => {
    const c = await copy();
    expect(await c.text('unlock')).toMatchObject({ exitCode: 0, stdout: 'nobody holds a lease\n' });
    const lease = await (await openRepository(c.location)).acquireLease('write', OWNER);
    onTestFinished(() => lease.release());
    const shown = await c.text('unlock', '--yes');
    expect(shown.exitCode).toBe(0);
    expect(shown.stdout).toMatch(new RegExp(`^${lease.id}  write  ${OWNER.run}  backup-server  4711 .* alive$`, 'm'));
    const refused = await c.run('unlock', lease.id, '--yes');
    expect(refused.exitCode).toBe(11);
    expect(errorOf(refused)).toMatchObject({
      code: 'locked',
      hint: expect.stringMatching(/--force.*cannot be published any more/),
    });
    await lease.assertHeld();
    const unconfirmed = await c.run('unlock', lease.id, '--force');
    expect(unconfirmed.exitCode).toBe(2);
    expect(errorOf(unconfirmed)).toMatchObject({ code: 'usage', hint: expect.stringContaining('--yes') });
    await lease.assertHeld();
    expect((await c.run('unlock', lease.id)).exitCode).toBe(11);
    const unknown = await c.run('unlock', 'nosuch');
    expect(unknown.exitCode).toBe(2);
    expect(errorOf(unknown)).toMatchObject({ code: 'usage', message: 'there is no lease nosuch' });
    expect((await c.run('unlock', lease.id, '--yes', '--force')).events.at(-1)).toMatchObject({
      command: 'unlock',
      taken: [{ id: lease.id, owner: OWNER }],
    });
    await expect(lease.assertHeld()).rejects.toMatchObject({ code: 'locked' });
  });

  test('shows in a dry run who would lose what, and what that can harm, and changes nothing', async () => {
    const c = await copy();
    expect((await c.run('unlock', '--dry-run')).events).toMatchObject([{ type: 'plan', steps: [{ changes: false }] }]);
    const lease = await (await openRepository(c.location)).acquireLease('restore', OWNER, { backups: [idOf(0)] });
    onTestFinished(() => lease.release());
    expect((await c.run('unlock', lease.id, '--dry-run')).exitCode).toBe(11);
    const planned = await c.run('unlock', lease.id, '--dry-run', '--force');
    expect(planned.exitCode).toBe(0);
    expect(planned.events).toMatchObject([{ type: 'plan', steps: [{ changes: true }] }]);
    const { steps } = planned.events[0] as unknown as { steps: { text: string }[] };
    expect(steps[0]?.text).toMatch(
      new RegExp(`the restore lease ${lease.id} of backup-server \\(pid 4711, since .*half restored`),
    );
    await lease.assertHeld();
  });
});
