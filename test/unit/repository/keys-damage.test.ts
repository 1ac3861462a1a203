import { generateX25519Identity, identityToRecipient } from 'age-encryption';
import { beforeAll, describe, expect, test } from 'vitest';
import { MemoryBackend } from '../../../src/repository/backend/memory-backend.ts';
import { keysKey } from '../../../src/repository/format/keys.ts';
import type { Manifest } from '../../../src/repository/index.ts';
import { initOnBackend, openOnBackend } from '../../../src/repository/repository.ts';
import { backUp, CLUSTER, collect } from './support/repository.ts';

const NAMING = 'a'.repeat(64);

interface Person {
  identity: string;
  recipient: string;
}

let old: Person;
let young: Person;

beforeAll(async () => {
  [old, young] = await Promise.all([person(), person()]);
});

async function person(): Promise<Person> {
  const identity = await generateX25519Identity();
  return { identity, recipient: await identityToRecipient(identity) };
}

const keysFor = (who: Person) => ({ namingKey: NAMING, recipients: [who.recipient] });

/** One backup of the first generation of keys, and one of the second. */
async function rotated(): Promise<{ backend: MemoryBackend; before: Manifest; after: Manifest }> {
  const backend = new MemoryBackend();
  const before = await backUp(await initOnBackend(backend, CLUSTER, keysFor(old)), { a: 'old' });
  await (await openOnBackend(backend, keysFor(young))).rotateKeys();
  const after = await backUp(await openOnBackend(backend, keysFor(young)), { b: 'young' });
  return { backend, before, after };
}

function change(backend: MemoryBackend, generation: number, members: (keys: Record<string, unknown>) => object): void {
  const key = keysKey(generation);
  const keys = JSON.parse(backend.contents.get(key)!.toString()) as Record<string, unknown>;
  backend.contents.set(key, Buffer.from(JSON.stringify({ ...keys, ...members(keys) })));
}

/** Another bit in the age file of the naming key: in its header, or in its payload. */
function flipNaming(backend: MemoryBackend, generation: number, at: number): void {
  change(backend, generation, ({ naming }) => {
    const bytes = Buffer.from(naming as string, 'base64');
    bytes.set([bytes.at(at)! ^ 1], at < 0 ? bytes.length + at : at);
    return { naming: bytes.toString('base64') };
  });
}

async function findings(backend: MemoryBackend, keys = {}): Promise<object[]> {
  const report = await (await openOnBackend(backend, keys)).verify({ level: 'data' });
  return report.findings.map(({ kind, key, backups }) => ({ kind, key, backups }));
}

const WRONG: [string, (backend: MemoryBackend) => void][] = [
  ['a bit of the header of its naming key', (backend) => flipNaming(backend, 2, 40)],
  ['a bit of its naming key', (backend) => flipNaming(backend, 2, -1)],
  ['its recipients', (backend) => change(backend, 2, () => ({ recipients: [old.recipient] }))],
  ['its time', (backend) => change(backend, 2, () => ({ createdAt: '2026-01-01T00:00:00.000Z' }))],
  ['its bytes', (backend) => backend.contents.set(keysKey(2), Buffer.from('{}'))],
];

describe.each(WRONG)('a newest generation of keys of which %s changed', (_, damage) => {
  test('is found without a key and with any, and hits every backup', async () => {
    const { backend, before, after } = await rotated();
    damage(backend);
    const wanted = [{ kind: 'keys-damaged', key: 'keys/2.json', backups: [after.id, before.id] }];
    const both = { identities: [old.identity, young.identity] };
    for (const keys of [{}, both, { ...keysFor(young), ...both }])
      expect(await findings(backend, keys)).toEqual(wanted);
  });

  test('does not keep from reading what an older one, or the naming key of the configuration, serves for', async () => {
    const { backend, before } = await rotated();
    damage(backend);
    for (const keys of [{ identities: [old.identity] }, { ...keysFor(young), identities: [old.identity] }]) {
      const repo = await openOnBackend(backend, keys);
      const [entry] = await collect(repo.readListing((await repo.readManifest(before.id)).parts[0]!));
      expect(Buffer.concat(await collect(await repo.readObject(entry!.object!))).toString()).toBe('old');
    }
  });

  test('is made up for by a rotation', async () => {
    const { backend } = await rotated();
    damage(backend);
    expect(await (await openOnBackend(backend, keysFor(young))).rotateKeys()).toBe(3);
    const repo = await openOnBackend(backend, keysFor(young));
    expect((await repo.readManifest((await backUp(repo, { c: 'third' })).id)).sealed).toBeDefined();
  });
});

test('where nothing tells whom to seal to nothing is sealed, and the file is named', async () => {
  const { backend } = await rotated();
  backend.contents.set(keysKey(2), Buffer.from('{}'));
  const damaged = { code: 'repository-damaged', exitCode: 4, message: expect.stringContaining('keys/2.json') };
  await expect(async () => backUp(await openOnBackend(backend, keysFor(young)), { c: 'third' })).rejects.toMatchObject(
    damaged,
  );
  await expect(openOnBackend(backend, { identities: [young.identity] })).rejects.toMatchObject(damaged);
});

test('recipients that are right by their mac are sealed to, whatever else is damaged', async () => {
  const { backend } = await rotated();
  flipNaming(backend, 2, 40);
  expect((await backUp(await openOnBackend(backend, keysFor(young)), { c: 'third' })).sealed).toBeDefined();
});

test('a generation that is gone is found where there is a later one', async () => {
  const { backend, before, after } = await rotated();
  backend.contents.delete(keysKey(1));
  const wanted = [{ kind: 'keys-missing', key: 'keys/1.json', backups: [after.id, before.id] }];
  expect(await findings(backend)).toEqual(wanted);
  expect(await findings(backend, { ...keysFor(young) })).toEqual(wanted);
});

test('the newest generation that is gone is found by what a backup has noted', async () => {
  const { backend, before, after } = await rotated();
  backend.contents.delete(keysKey(2));
  const wanted = [{ kind: 'keys-missing', key: 'keys/2.json', backups: [after.id, before.id] }];
  for (const keys of [{}, keysFor(old)]) expect(await findings(backend, keys)).toEqual(wanted);
  // A note that is damaged tells nothing, and no generation that never was.
  const note = `published/${after.id}`;
  backend.contents.set(note, Buffer.from(backend.contents.get(note)!.toString().replace('"keys":2', '"keys":6')));
  expect(await findings(backend)).toEqual([]);
});

describe('a generation that an older version wrote, without a checksum', () => {
  test('is read', async () => {
    const { backend } = await rotated();
    change(backend, 1, () => ({ sha256: undefined }));
    change(backend, 2, () => ({ sha256: undefined }));
    const both = { identities: [old.identity, young.identity] };
    for (const keys of [{}, both, keysFor(young)]) expect(await findings(backend, keys)).toEqual([]);
  });

  test('is found by who has the naming key, or an identity, when it was changed', async () => {
    const { backend, before, after } = await rotated();
    change(backend, 1, () => ({ sha256: undefined, recipients: [young.recipient] }));
    change(backend, 2, () => ({ sha256: undefined }));
    const wanted = [{ kind: 'keys-damaged', key: 'keys/1.json', backups: [after.id, before.id] }];
    expect(await findings(backend, keysFor(young))).toEqual(wanted);
    flipNaming(backend, 2, 40);
    await expect(openOnBackend(backend, { identities: [young.identity] })).rejects.toMatchObject({
      code: 'repository-damaged',
      message: expect.stringContaining('keys/2.json'),
    });
  });
});
