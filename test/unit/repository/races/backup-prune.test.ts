import { describe, expect, test } from 'vitest';
import type { Backend } from '../../../../src/repository/backend/backend.ts';
import type { Bins } from '../../../../src/repository/backend/bins.ts';
import { manifestKey } from '../../../../src/repository/format/names.ts';
import { DEAD, dropManifest, isWhole, objectsOf, onEachBackend, open, pruneOn, Writer } from '../support/races.ts';
import { Participant, withCalls, type Call } from '../support/step-backend.ts';

const isTake = (call: Call) => call.op === 'take';
const isEmpty = (call: Call) => call.op === 'empty';
const isManifest = (call: Call) => call.op === 'put' && call.key.endsWith('/manifest.json');
const isRecord = (call: Call) => call.op === 'put' && call.key.endsWith('.sweep');

onEachBackend('backup beside prune', (make) => {
  /** A repository with one backup, `kept`, and the contents of one that was forgotten, `old`. */
  async function withGarbage(): Promise<Backend> {
    const backend = await make();
    const old = await Writer.backUp(backend, ['old', 'shared']);
    await Writer.backUp(backend, ['kept', 'shared']);
    await dropManifest(backend, old.id);
    return backend;
  }

  test('what no backup needs is removed, and nothing else', async () => {
    const backend = await withGarbage();
    const before = await objectsOf(backend);
    expect(await pruneOn(backend, { dryRun: true })).toMatchObject({ dryRun: true, objects: 1, backups: 1 });
    expect(await objectsOf(backend)).toEqual(before);
    const report = await pruneOn(backend);
    expect(report).toMatchObject({ dryRun: false, objects: 1, pieces: 2, backups: 1, unknown: 0 });
    expect(report.bytes).toBeGreaterThan(3);
    expect(await objectsOf(backend)).toHaveLength(2);
    expect(await isWhole(backend)).toBe(true);
    expect(await pruneOn(backend)).toMatchObject({ objects: 0, pieces: 0, bytes: 0 });
    expect(await (await open(backend)).leases()).toEqual([]);
  });

  test('a prune waits for a slow backup, and keeps what that reuses', async () => {
    const backend = await withGarbage();
    const writer = await (await Writer.on(backend)).begin();
    const part = await writer.store(['old', 'new']);
    const waitedFor: string[] = [];
    const pruning = pruneOn(backend, { onWait: (leases) => waitedFor.push(...leases.map((l) => l.owner.run)) });
    await expect.poll(() => waitedFor).toEqual([writer.run]);
    await writer.publish(part);
    await writer.end();
    expect(await pruning).toMatchObject({ objects: 0, backups: 2 });
    expect(await isWhole(backend)).toBe(true);
  });

  test('a prune that may not wait is refused and names the backup', async () => {
    const backend = await withGarbage();
    const writer = await (await Writer.on(backend)).begin();
    await expect(pruneOn(backend, { wait: false })).rejects.toMatchObject({
      code: 'locked',
      context: { owner: { run: writer.run } },
    });
    await writer.end();
    expect(await objectsOf(backend)).toHaveLength(3);
  });

  test.each([
    ['its last check and the removal', isTake],
    ['the removal and the deletion', isEmpty],
    ['the marking and its record', isRecord],
  ])('a sweeper that is paused between %s does not touch what a later backup reuses', async (_, where) => {
    const backend = await withGarbage();
    const sweeper = new Participant(backend);
    const pause = sweeper.pauseBefore(where);
    const pruning = pruneOn(sweeper.backend);
    await pause.reached;

    const young = await Writer.backUp(backend, ['old', 'new']);
    expect(await isWhole(backend)).toBe(true);
    pause.resume();
    expect(await pruning).toMatchObject({ objects: 0, backups: 2 });
    expect(await isWhole(backend)).toBe(true);
    expect(await (await open(backend)).readManifest(young.id)).toEqual(young);
  });

  test('a sweeper that is paused while a backup reuses and has not yet published waits for it', async () => {
    const backend = await withGarbage();
    const sweeper = new Participant(backend);
    const pause = sweeper.pauseBefore(isTake);
    const pruning = pruneOn(sweeper.backend);
    await pause.reached;
    const writer = await (await Writer.on(backend)).begin();
    const part = await writer.store(['old']);
    pause.resume();
    await expect.poll(() => sweeper.calls.filter((c) => c.op === 'take').length).toBe(1);
    await writer.publish(part);
    await writer.end();
    expect(await pruning).toMatchObject({ objects: 0 });
    expect(await isWhole(backend)).toBe(true);
  });

  test('CONTROL: where a backup does not close the bin, the paused sweeper destroys it', async () => {
    const backend = await withGarbage();
    const sweeper = new Participant(backend);
    const pause = sweeper.pauseBefore(isTake);
    const pruning = pruneOn(sweeper.backend, { wait: false });
    await pause.reached;
    const bins = withCalls(backend.bins as Bins, { close: async () => undefined });
    const careless = withCalls(backend, { bins });
    const writer = await (await Writer.on(careless)).begin();
    const part = await writer.store(['old', 'new']);
    pause.resume();
    await pruning;
    // The check before the manifest would notice; a manifest that is written a moment earlier would be a lie.
    await expect(writer.publish(part)).rejects.toMatchObject({ code: 'object-missing' });
    await writer.end();
  });

  test('a writer that is paused before its manifest and taken for dead cannot publish', async () => {
    const backend = await withGarbage();
    const participant = new Participant(backend);
    const writer = await (await Writer.on(participant.backend)).begin();
    const part = await writer.store(['old', 'unheard of']);
    const pause = participant.pauseBefore(isManifest);
    const publishing = writer.publish(part).catch((error: unknown) => error);
    await pause.reached;

    expect(await pruneOn(backend, DEAD)).toMatchObject({ objects: 2, backups: 1 });
    pause.resume();
    expect(await publishing).toMatchObject({ code: 'locked' });
    await writer.end();
    expect(await (await open(backend)).list()).toHaveLength(1);
    expect(await isWhole(backend)).toBe(true);
    await expect((await open(backend)).readManifest(writer.run)).rejects.toMatchObject({ code: 'backup-unknown' });
  });

  test('CONTROL: where the place of the manifest is not taken, the paused writer publishes a backup that is not whole', async () => {
    const backend = await withGarbage();
    const participant = new Participant(backend);
    const writer = await (await Writer.on(participant.backend)).begin();
    const part = await writer.store(['old', 'unheard of']);
    const pause = participant.pauseBefore(isManifest);
    const publishing = writer.publish(part);
    await pause.reached;
    const careless = withCalls(backend, {
      put: async (key, ...rest) => (key === manifestKey(writer.run) ? 'exists' : backend.put(key, ...rest)),
    });
    await pruneOn(careless, DEAD);
    pause.resume();
    await publishing;
    expect(await isWhole(backend)).toBe(false);
    await writer.end();
  });

  test('a paused writer that published first has its backup kept by who takes it for dead', async () => {
    const backend = await withGarbage();
    const writer = await (await Writer.on(backend)).begin();
    const published = await writer.publish(await writer.store(['old']));
    expect(await pruneOn(backend, DEAD)).toMatchObject({ objects: 0, backups: 2 });
    expect(await (await open(backend)).readManifest(published.id)).toEqual(published);
    expect(await isWhole(backend)).toBe(true);
    await writer.end();
  });

  test('what a killed run staged is removed, what it published is kept for the next one until a prune', async () => {
    const backend = await withGarbage();
    const writer = await (await Writer.on(backend)).begin();
    await writer.store(['half']);
    await backend.put(`incoming/${writer.run}/n1/0`, Buffer.from('staged'));
    const report = await pruneOn(backend, DEAD);
    expect(report.cleared).toMatchObject({ leases: [{ owner: { run: writer.run } }], runs: [writer.run] });
    expect(await backend.sizes([`incoming/${writer.run}/n1/0`])).toEqual([undefined]);
    expect(report.objects).toBe(2);
    await expect(writer.lease.assertHeld()).rejects.toMatchObject({ code: 'locked' });
  });
});

describe('a sweep', () => {
  test('never touches what it does not know', async () => {
    const { MemoryBackend } = await import('../../../../src/repository/backend/memory-backend.ts');
    const { initOnBackend } = await import('../../../../src/repository/repository.ts');
    const backend = new MemoryBackend();
    await initOnBackend(backend, { clusterName: 'prod', clusterId: 'c' });
    const foreign = ['objects/README', `objects/ab/${'c'.repeat(64)}`, `objects/aa/${'a'.repeat(64)}.gz`, 'damaged/x'];
    for (const key of foreign) await backend.put(key, Buffer.from('x'));
    expect(await pruneOn(backend)).toMatchObject({ objects: 0, unknown: 3 });
    expect(await backend.sizes(foreign)).toEqual([1, 1, 1, 1]);
  });
});
