import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generateX25519Identity, identityToRecipient } from 'age-encryption';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { fileEntry, initRepository, newBackupId } from '../../../src/repository/index.ts';
import { minimalConfig } from '../../unit/support/cluster.ts';
import { buildRepository, details } from './support/repository.ts';
import { errorOf, skep } from './support/skep.ts';

let root: string;
let identity: string;
let namingKey: string;
let recipients: string[];
let id: string;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'skep-cli-'));
  identity = await generateX25519Identity();
  recipients = [await identityToRecipient(identity)];
  namingKey = randomBytes(32).toString('hex');
  const location = join(root, 'repository');
  await mkdir(location);
  const repository = await initRepository(
    { location, namingKey, recipients },
    { clusterName: 'prod', clusterId: 'c'.repeat(32) },
  );
  id = newBackupId();
  const writer = repository.objectWriter({ run: id, writer: 'n1' });
  const listing = await repository.writeListing(
    [fileEntry('attachment/a', await writer.putBytes(Buffer.from('secret')))],
    writer,
  );
  await writer.close();
  const at = new Date().toISOString();
  const parts = [{ node: 'n1', store: 'files', ...listing, newBytes: writer.totals.newBytes }];
  const times = { startedAt: at, finishedAt: at, consistency: 'cut', cutMicros: '1795400000000001' } as const;
  await repository.publish({ id, ...times, parts, details: details() });
});
afterAll(() => rm(root, { recursive: true, force: true }));

async function other(): Promise<string> {
  const file = join(root, 'other.txt');
  await writeFile(file, `${await generateX25519Identity()}\n`);
  return file;
}

/** A configuration that seals with these keys. */
async function configWith(name: string, keys: { namingKey: string; recipients: string[] }): Promise<string> {
  const config = minimalConfig();
  const [naming, file] = [join(root, `${name}.key`), join(root, `${name}.yaml`)];
  await writeFile(naming, `${keys.namingKey}\n`, { mode: 0o600 });
  const sealing = { recipients: keys.recipients, naming_key: { file: naming } };
  Object.assign(config.clusters['prod'] as object, { repository: { location: join(root, 'repository'), sealing } });
  await writeFile(file, stringify(config));
  return file;
}

test('with the right keys a sealed repository is listed and shown', async () => {
  const config = await configWith('right', { namingKey, recipients });
  expect((await skep(['list', '--config', config, '--json'])).events[0]).toMatchObject({ backups: [{ id }] });
  const file = join(root, 'identity.txt');
  await writeFile(file, `${identity}\n`, { mode: 0o600 });
  const shown = await skep(['show', id, '--identity', file, '--config', config, '--json']);
  expect(shown).toMatchObject({ exitCode: 0, events: [{ backup: { details: { skep: '0.1.0' } } }] });
});

test('a dry run of a rotation is refused where the rotation is', async () => {
  const config = await configWith('same', { namingKey, recipients });
  const open = await buildRepository(join(root, 'open'));
  const before = await readdir(join(root, 'repository', 'keys'));
  for (const [file, why] of [
    [config, 'already'],
    [open.config, 'not sealed'],
  ] as const) {
    for (const more of [[], ['--dry-run']]) {
      const ran = await skep(['keys', 'rotate', ...more, '--config', file, '--json']);
      expect(ran.exitCode).toBe(2);
      expect(errorOf(ran)).toMatchObject({ code: 'usage', message: expect.stringContaining(why) });
    }
  }
  const young = await identityToRecipient(await generateX25519Identity());
  const changed = await configWith('young', { namingKey, recipients: [young] });
  const planned = await skep(['keys', 'rotate', '--dry-run', '--config', changed, '--json']);
  expect(planned.events).toMatchObject([{ type: 'plan', steps: [{ text: expect.stringContaining(young) }] }]);
  expect(await readdir(join(root, 'repository', 'keys'))).toEqual(before);
});

test('another naming key is exit 12, before anything is written', async () => {
  const there = () => readdir(join(root, 'repository'), { recursive: true });
  const before = await there();
  const config = await configWith('naming', { namingKey: randomBytes(32).toString('hex'), recipients });
  for (const args of [['list'], ['forget', '--keep-last', '1'], ['prune', '--yes']]) {
    const ran = await skep([...args, '--config', config, '--json']);
    expect(ran.exitCode).toBe(12);
    expect(errorOf(ran)).toMatchObject({ code: 'key-wrong' });
  }
  expect(await there()).toEqual(before);
});

test('other recipients than the repository has are exit 12 for who would write', async () => {
  const stranger = await identityToRecipient(await generateX25519Identity());
  const config = await configWith('recipients', { namingKey, recipients: [stranger] });
  const to = join(root, 'copy');
  const ran = await skep(['copy', '--to', to, '--init', '--config', config, '--json']);
  expect(ran.exitCode).toBe(12);
  expect(errorOf(ran)).toMatchObject({ code: 'key-wrong' });
});

test.each([['show'], ['verify']])(
  '%s with an identity that the backup is not sealed to is exit 12',
  async (command) => {
    const config = await configWith('identity', { namingKey, recipients });
    const ran = await skep([command, id, '--identity', await other(), '--config', config, '--json']);
    expect(ran.exitCode).toBe(12);
    expect(errorOf(ran)).toMatchObject({ code: 'key-wrong' });
  },
);
