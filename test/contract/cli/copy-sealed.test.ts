import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generateX25519Identity, identityToRecipient } from 'age-encryption';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { fileEntry, initRepository, newBackupId, openRepository } from '../../../src/repository/index.ts';
import { minimalConfig } from '../../unit/support/cluster.ts';
import { details } from './support/repository.ts';
import { errorOf, skep } from './support/skep.ts';

/** Whom a repository is sealed to, and its naming key. */
interface Keys {
  identity: string;
  recipients: string[];
  namingKey: string;
}

let root: string;
let own: Keys;
let young: Keys;
let partner: Keys;
let minutes = 0;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'skep-cli-'));
  [own, partner] = [await newKeys(), await newKeys()];
  young = { ...(await newKeys()), namingKey: own.namingKey };
  for (const [name, keys] of Object.entries({ own, young, partner })) {
    await writeFile(fileOf(name, 'identity'), `${keys.identity}\n`, { mode: 0o600 });
    await writeFile(fileOf(name, 'key'), `${keys.namingKey}\n`, { mode: 0o600 });
  }
  await writeFile(fileOf('both', 'identity'), `${own.identity}\n${young.identity}\n`, { mode: 0o600 });
});
afterAll(() => rm(root, { recursive: true, force: true }));

async function newKeys(): Promise<Keys> {
  const identity = await generateX25519Identity();
  return { identity, recipients: [await identityToRecipient(identity)], namingKey: randomBytes(32).toString('hex') };
}

const fileOf = (name: string, kind: string): string => join(root, `${name}.${kind}`);

/** `repository` of a configuration that is sealed with the keys of this name. */
function sealed(location: string, name: 'own' | 'young' | 'partner', identity?: string) {
  const { recipients } = { own, young, partner }[name];
  const sealing = { recipients, naming_key: { file: fileOf(name, 'key') } };
  return { location, sealing: identity === undefined ? sealing : { ...sealing, identity: { file: identity } } };
}

async function configOf(name: string, cluster: object): Promise<string> {
  const config = minimalConfig();
  Object.assign(config.clusters['prod'] as object, cluster);
  await writeFile(fileOf(name, 'yaml'), stringify(config));
  return fileOf(name, 'yaml');
}

async function backUp(
  location: string,
  { namingKey, recipients }: Keys,
  content: string,
  store = 'files',
): Promise<string> {
  const access = { location, namingKey, recipients };
  const made = { clusterName: 'prod', clusterId: 'c'.repeat(32) };
  const repository = await openRepository(access).catch(() => initRepository(access, made));
  const at = new Date(Date.UTC(2026, 10, 22, 22, minutes++));
  const id = newBackupId(at);
  const writer = repository.objectWriter({ run: id, writer: 'n1' });
  const entry = fileEntry('attachment/a', await writer.putBytes(Buffer.from(content)));
  const listing = await repository.writeListing([entry], writer);
  await writer.close();
  const parts = [{ node: 'n1', store, ...listing, newBytes: writer.totals.newBytes }];
  const times = { startedAt: at.toISOString(), finishedAt: at.toISOString(), consistency: 'cut' } as const;
  await repository.publish({ id, ...times, cutMicros: '1795400000000001', parts, details: details() });
  return id;
}

test('a sealed repository is copied to other keys by whoever has an identity of it', async () => {
  const [from, to] = [join(root, 'from'), join(root, 'to')];
  const id = await backUp(from, own, 'secret');
  const copies = { partner: sealed(to, 'partner') };
  const config = await configOf('a', { repository: sealed(from, 'own'), copies });
  const args = ['copy', '--to', 'partner', '--init', '--config', config, '--json'];
  const refused = await skep(args);
  expect(refused.exitCode).toBe(12);
  expect(errorOf(refused)).toMatchObject({ code: 'key-missing', hint: expect.stringContaining('--identity FILE') });
  expect(await readdir(join(to, 'backups')).catch(() => [])).toEqual([]);
  expect(await readdir(join(from, 'leases'))).toEqual([]);

  const copied = await skep([...args, '--identity', fileOf('own', 'identity')]);
  expect(copied).toMatchObject({ exitCode: 0 });
  expect(copied.events.at(-1)).toMatchObject({ command: 'copy', resealed: true, copied: [{ from: id }] });
  const theirs = await configOf('partner-side', { repository: sealed(to, 'partner') });
  const read = ['--identity', fileOf('partner', 'identity'), '--config', theirs, '--json'];
  expect(await skep(['verify', '--level', 'data', ...read])).toMatchObject({ exitCode: 0 });
  expect((await skep(['show', id, ...read])).events[0]).toMatchObject({ backup: { details: { skep: '0.1.0' } } });
});

test('the identity of the configuration is read only where it is needed', async () => {
  const [from, to] = [join(root, 'lazy'), join(root, 'lazy-to')];
  const id = await backUp(from, own, 'secret');
  const repository = sealed(from, 'own', fileOf('own', 'identity'));
  const config = await configOf('b', { repository, copies: { partner: sealed(to, 'partner') } });
  const ran = await skep(['copy', '--to', 'partner', '--init', '--config', config, '--json']);
  expect(ran.events.at(-1)).toMatchObject({ resealed: true, copied: [{ from: id }] });
  const unreadable = await configOf('c', { repository: sealed(from, 'own', join(root, 'offline')) });
  const same = await skep(['copy', '--to', join(root, 'lazy-same'), '--init', '--config', unreadable, '--json']);
  expect(same.events.at(-1)).toMatchObject({ resealed: false, copied: [{ from: id }] });
});

test('after `keys rotate` copies go on, and rotate the copy', async () => {
  const [from, to] = [join(root, 'rotated'), join(root, 'rotated-to')];
  await backUp(from, own, 'shared');
  const before = await configOf('d', { repository: sealed(from, 'own') });
  const line = (command: string[], config: string) => skep([...command, '--config', config, '--json']);
  expect(await line(['copy', '--to', to, '--init'], before)).toMatchObject({ exitCode: 0 });

  const config = await configOf('e', { repository: sealed(from, 'young') });
  expect(await line(['keys', 'rotate'], config)).toMatchObject({ exitCode: 0, events: [{ generation: 2 }] });
  const second = await backUp(from, young, 'shared');
  const dry = await skep(['copy', '--to', to, '--dry-run', '--config', config]);
  expect(dry.stdout).toContain('would seal what is new to the recipients of this repository');
  const ran = await line(['copy', '--to', to], config);
  expect(ran.events.at(-1)).toMatchObject({ copied: [{ from: second }], resealed: false, rotated: true });
  const third = await backUp(from, young, 'more');
  const again = await line(['copy', '--to', to], config);
  expect(again.events.at(-1)).toMatchObject({ copied: [{ from: third }], rotated: false });

  const shown = await line(['keys', '--of', to], config);
  expect(shown.events[0]).toMatchObject({ agree: true, generations: [{ generation: 1 }, { generation: 2 }] });
  const offsite = await configOf('f', { repository: sealed(to, 'young') });
  const both = ['--identity', fileOf('both', 'identity')];
  expect(await line(['verify', '--level', 'data', ...both], offsite)).toMatchObject({ exitCode: 0 });
});

test('a copy with recipients of its own is rotated by its name', async () => {
  const [from, to] = [join(root, 'apart'), join(root, 'apart-to')];
  await backUp(from, own, 'secret');
  const place = sealed(to, 'partner');
  const copies = { partner: place };
  const before = await configOf('g', { repository: sealed(from, 'own'), copies });
  const identity = ['--identity', fileOf('own', 'identity')];
  await skep(['copy', '--to', 'partner', '--init', ...identity, '--config', before]);
  const changed = { ...place, sealing: { ...place.sealing, recipients: young.recipients } };
  const config = await configOf('h', { repository: sealed(from, 'own'), copies: { partner: changed } });
  const refused = await skep(['copy', '--to', 'partner', ...identity, '--config', config, '--json']);
  expect(errorOf(refused)).toMatchObject({ code: 'key-wrong', hint: expect.stringContaining('keys rotate') });
  const rotated = await skep(['keys', 'rotate', '--of', 'partner', '--config', config, '--json']);
  expect(rotated).toMatchObject({ exitCode: 0, events: [{ generation: 2 }] });
  expect(await skep(['copy', '--to', 'partner', ...identity, '--config', config])).toMatchObject({ exitCode: 0 });
});

test('configurations are not copied into what is not sealed, whatever skep.yaml says of them now', async () => {
  const [from, to] = [join(root, 'with-config'), join(root, 'with-config-to')];
  await backUp(from, own, 'a password', 'config');
  const repository = sealed(from, 'own', fileOf('own', 'identity'));
  const copies = { open: { location: to } };
  const args = ['copy', '--to', 'open', '--init', '--json', '--config'];
  const refused = await skep([...args, await configOf('silent', { repository, copies })]);
  expect(refused.exitCode).toBe(2);
  expect(errorOf(refused)).toMatchObject({ code: 'config-invalid', hint: expect.stringContaining('unsealed') });
  expect(await readdir(to).catch(() => [])).toEqual([]);

  const allowed = await configOf('allowed', { repository, copies, config: { unsealed: true } });
  expect(await skep([...args, allowed])).toMatchObject({ exitCode: 0 });
});
