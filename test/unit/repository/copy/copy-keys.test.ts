import { generateX25519Identity, identityToRecipient } from 'age-encryption';
import { beforeAll, expect, onTestFinished, test } from 'vitest';
import { MemoryBackend } from '../../../../src/repository/backend/memory-backend.ts';
import { keysKey } from '../../../../src/repository/format/keys.ts';
import { objectKey } from '../../../../src/repository/format/names.ts';
import type { Manifest, Repository } from '../../../../src/repository/index.ts';
import { initOnBackend, openOnBackend } from '../../../../src/repository/repository.ts';
import { writeGeneration } from '../../../../src/repository/sealing/generations.ts';
import { backUp, CLUSTER, collect, memoryRepository } from '../support/repository.ts';

const OWNER = { run: 'copy-1', host: 'h', pid: 1 };
const NAMING = 'a'.repeat(64);

/** An identity, and the recipient that is sealed to. */
interface Person {
  identity: string;
  recipient: string;
}

let old: Person;
let young: Person;
let stranger: Person;

beforeAll(async () => {
  [old, young, stranger] = await Promise.all([person(), person(), person()]);
});

async function person(): Promise<Person> {
  const identity = await generateX25519Identity();
  return { identity, recipient: await identityToRecipient(identity) };
}

const keysFor = (who: Person, namingKey = NAMING) => ({ namingKey, recipients: [who.recipient] });

function copy(from: Repository, to: Repository, dryRun = false) {
  return to.copyFrom(from, { owner: OWNER, dryRun });
}

/** A source and its copy, sealed to one person; then the source is rotated to another and has one more backup. */
async function rotated(): Promise<{ from: MemoryBackend; to: MemoryBackend; before: Manifest; after: Manifest }> {
  const [from, to] = [new MemoryBackend(), new MemoryBackend()];
  const source = await initOnBackend(from, CLUSTER, keysFor(old));
  const before = await backUp(source, { a: 'shared', b: 'only old' });
  await copy(source, await initOnBackend(to, CLUSTER, keysFor(old)));
  await (await openOnBackend(from, keysFor(young))).rotateKeys();
  const after = await backUp(await openOnBackend(from, keysFor(young)), { a: 'shared', c: 'only young' });
  return { from, to, before, after };
}

async function contentOf(repo: Repository, manifest: Manifest, path: string): Promise<string> {
  for await (const entry of repo.readListing(manifest.parts[0]!)) {
    if (entry.path === path && entry.object !== undefined)
      return Buffer.concat(await collect(await repo.readObject(entry.object))).toString();
  }
  throw new Error(`no ${path}`);
}

test('a repository that is not sealed has no keys to rotate', async () => {
  const { repo } = await memoryRepository();
  await expect(repo.rotateKeys()).rejects.toMatchObject({
    code: 'usage',
    message: expect.stringContaining('not sealed'),
  });
});

test('after a rotation of the source the copy follows it, without an identity, and so does every later copy', async () => {
  const { from, to, before, after } = await rotated();
  const open = () => Promise.all([openOnBackend(from, keysFor(young)), openOnBackend(to, keysFor(young))]);
  const [source, target] = await open();
  expect(await target.hasKeysOf(source)).toBe(true);
  expect(await copy(source, target, true)).toMatchObject({ planned: [after.id], resealed: false, rotated: true });
  expect(to.contents.has(keysKey(2))).toBe(false);
  expect(await copy(source, target)).toMatchObject({ copied: [{ from: after.id }], resealed: false, rotated: true });

  const [again, copied] = await open();
  expect((await copied.keys()).map((k) => [k.generation, k.recipients, k.genuine])).toEqual([
    [1, [old.recipient], true],
    [2, [young.recipient], true],
  ]);
  const third = await backUp(again, { a: 'shared', d: 'third' });
  expect(await copy(again, copied)).toMatchObject({ copied: [{ from: third.id }], resealed: false, rotated: false });
  expect(await copied.verify({ level: 'data' })).toMatchObject({ ok: true, backups: [third.id, after.id, before.id] });

  const reader = await openOnBackend(to, { ...keysFor(young), identities: [old.identity, young.identity] });
  expect(await reader.verify({ level: 'data' })).toMatchObject({ ok: true, closed: false });
  expect(await contentOf(reader, await reader.readManifest(third.id), 'd')).toBe('third');
  expect(await contentOf(reader, await reader.readManifest(before.id), 'b')).toBe('only old');
  // The naming key comes back with the new identity alone.
  expect(await (await openOnBackend(to, { identities: [young.identity] })).list()).toHaveLength(3);
});

test('a copy that was left behind by two rotations gets both generations', async () => {
  const { from, to } = await rotated();
  await (await openOnBackend(from, keysFor(stranger))).rotateKeys();
  const [source, target] = [await openOnBackend(from, keysFor(stranger)), await openOnBackend(to, keysFor(stranger))];
  expect(await copy(source, target)).toMatchObject({ rotated: true });
  const recipients = (await target.keys()).map((k) => k.recipients);
  expect(recipients).toEqual([[old.recipient], [young.recipient], [stranger.recipient]]);
});

test('what the target has sealed itself is sealed to the new recipients where it must be stored anew', async () => {
  const { from, to, after } = await rotated();
  const content = 'only young';
  // Under the same name in other bytes: what a backup into the copy would have left.
  await backUp(await openOnBackend(to, keysFor(old)), { c: content });
  const source = await openOnBackend(from, { ...keysFor(young), identities: [old.identity, young.identity] });
  await copy(source, await openOnBackend(to, keysFor(young)));
  const reader = await openOnBackend(to, { ...keysFor(young), identities: [old.identity, young.identity] });
  const copied = await reader.readManifest(after.id);
  expect(await contentOf(reader, copied, 'c')).toBe(content);
  expect(copied.sealed).toBeDefined();
  const withNewAlone = await openOnBackend(to, { identities: [young.identity] });
  expect(await withNewAlone.readDetails(copied)).toEqual({});
});

test('recipients that the source has never had are not passed over: somebody may have forged them', async () => {
  const { from, to } = await rotated();
  const { id: repository } = await openOnBackend(to, keysFor(old));
  const namingKey = Buffer.from(NAMING, 'hex');
  await writeGeneration(to, { repository, generation: 2, recipients: [stranger.recipient], namingKey });
  const [source, target] = [await openOnBackend(from, keysFor(young)), await openOnBackend(to, keysFor(young))];
  await expect(copy(source, target)).rejects.toMatchObject({
    code: 'key-wrong',
    hint: expect.stringContaining('keys rotate --of'),
  });
  expect(to.contents.has(keysKey(3))).toBe(false);
});

test('a target that the configuration gives recipients of its own is sealed to those, by an identity of the source', async () => {
  const { from, after } = await rotated();
  const to = new MemoryBackend();
  const target = await initOnBackend(to, CLUSTER, keysFor(stranger));
  const closed = await openOnBackend(from, keysFor(young));
  expect(await target.hasKeysOf(closed)).toBe(false);
  for (const dryRun of [true, false]) {
    await expect(copy(closed, target, dryRun)).rejects.toMatchObject({
      code: 'key-missing',
      hint: expect.stringContaining('--identity FILE'),
    });
  }
  const source = await openOnBackend(from, { ...keysFor(young), identities: [old.identity, young.identity] });
  expect(await copy(source, target)).toMatchObject({ resealed: true, rotated: false });
  const reader = await openOnBackend(to, { identities: [stranger.identity] });
  expect(await contentOf(reader, await reader.readManifest(after.id), 'a')).toBe('shared');
});

test('hosts are told in the way of the target where contents are stored anew', async () => {
  const [from, to] = [new MemoryBackend(), new MemoryBackend()];
  const source = await initOnBackend(from, CLUSTER, keysFor(old));
  await backUp(source, { a: 'content' });
  const open = await openOnBackend(from, { ...keysFor(old), identities: [old.identity] });
  const target = await initOnBackend(to, CLUSTER, keysFor(stranger, 'b'.repeat(64)));
  await target.copyFrom(open, { owner: OWNER, hostIdsOf: () => ['host 1'] });
  const [backup] = await target.list();
  expect(backup?.state === 'complete' && target.isOfHosts(backup.manifest, ['host 1'])).toBe(true);
});

test.each([1, 2, 3])(
  'a damaged content that is read %i places behind a slow one only keeps its backup back',
  async (at) => {
    const unhandled: unknown[] = [];
    const note = (error: unknown) => unhandled.push(error);
    process.on('unhandledRejection', note);
    onTestFinished(() => void process.off('unhandledRejection', note));
    const [from, to] = [new MemoryBackend(), new MemoryBackend()];
    const sealed = await initOnBackend(from, CLUSTER, keysFor(old));
    const source = await openOnBackend(from, { ...keysFor(old), identities: [old.identity] });
    const bad = await backUp(sealed, { 0: 'slow', 1: 'one', 2: 'two', 3: 'three', 4: 'four' });
    const good = await backUp(sealed, { a: 'good' });
    const entries = await collect(source.readListing(bad.parts[0]!));
    const [slow, damaged] = [entries[0], entries[at]].map((entry) => objectKey(entry!.object!, 'age'));
    from.contents.delete(damaged!);
    const { sizes } = from;
    from.sizes = async (keys) => {
      if (keys.includes(slow!)) await new Promise((done) => setTimeout(done, 50));
      return sizes.call(from, keys);
    };
    const target = await initOnBackend(to, CLUSTER, keysFor(stranger));
    await expect(copy(source, target)).rejects.toMatchObject({
      code: 'damage-found',
      exitCode: 4,
      context: { backups: [bad.id], copied: [good.id] },
    });
    expect(unhandled).toEqual([]);
    expect([await source.leases(), await target.leases()]).toEqual([[], []]);
  },
);

test.each(['objects/', 'listings/'])(
  'a flipped bit in an age header below %s only keeps its backup back',
  async (prefix) => {
    const [from, to] = [new MemoryBackend(), new MemoryBackend()];
    const sealed = await initOnBackend(from, CLUSTER, keysFor(old));
    const bad = await backUp(sealed, { a: 'bad' });
    for (const [key, bytes] of from.contents) if (key.startsWith(prefix) && key.endsWith('.age')) bytes[40]! ^= 1;
    const good = await backUp(sealed, { b: 'good' });
    const source = await openOnBackend(from, { ...keysFor(old), identities: [old.identity] });
    await expect(copy(source, await initOnBackend(to, CLUSTER, keysFor(stranger)))).rejects.toMatchObject({
      code: 'damage-found',
      context: { backups: [bad.id], copied: [good.id] },
    });
  },
);
