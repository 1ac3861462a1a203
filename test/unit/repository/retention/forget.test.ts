import { hash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { Backend } from '../../../../src/repository/backend/backend.ts';
import { MemoryBackend } from '../../../../src/repository/backend/memory-backend.ts';
import { manifestCopyKey, manifestKey, objectKey } from '../../../../src/repository/format/names.ts';
import { clearDamage, noteDamage } from '../../../../src/repository/damage/notes.ts';
import type { Manifest } from '../../../../src/repository/index.ts';
import { acquireLease } from '../../../../src/repository/lease/index.ts';
import { initOnBackend } from '../../../../src/repository/repository.ts';
import { forget, type ForgetOptions } from '../../../../src/repository/retention/forget.ts';
import { UNSEALED } from '../../../../src/repository/sealing/keyring.ts';
import { isWhole, open, ownerOf, pruneOn, Writer } from '../support/races.ts';
import { neededKeys } from '../../../../src/repository/needed-keys.ts';
import { backUp, CLUSTER } from '../support/repository.ts';
import { Participant } from '../support/step-backend.ts';

const DAY = 86_400_000;

/** A repository with one backup a day, newest last. */
async function withDays(days: number): Promise<{ backend: MemoryBackend; backups: Manifest[] }> {
  const backend = new MemoryBackend();
  await initOnBackend(backend, CLUSTER);
  const backups: Manifest[] = [];
  for (let day = 0; day < days; day++) {
    const writer = await (await Writer.on(backend)).begin();
    const cutMicros = `${Date.UTC(2026, 10, 1) + day * DAY}001`;
    backups.push(await writer.publish(await writer.store([`day ${day}`, 'always']), { cutMicros }));
    await writer.end();
  }
  return { backend, backups };
}

function forgetOn(backend: Backend, options: Partial<ForgetOptions>) {
  return forget({ backend, keyring: UNSEALED }, { owner: ownerOf('f'), minimum: 3, ...options });
}

async function piecesOf(backend: Backend, manifest: Manifest): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of neededKeys({ backend, keyring: UNSEALED }, manifest)) {
    if (key.startsWith('listings/')) keys.push(key);
  }
  return keys;
}

const idsOf = async (backend: Backend) => (await (await open(backend)).list()).map(({ id }) => id);
const newestFirst = (backups: readonly Manifest[]) => backups.map(({ id }) => id).reverse();

describe('forget by rules', () => {
  test('removes the manifests of what no rule keeps, and tells of each backup why it stays', async () => {
    const { backend, backups } = await withDays(6);
    const rules = { last: 1, daily: 4 };
    const planned = await forgetOn(backend, { rules, dryRun: true });
    expect(await idsOf(backend)).toHaveLength(6);
    const report = await forgetOn(backend, { rules });
    expect({ ...report, dryRun: true }).toEqual(planned);
    const [first, second] = newestFirst(backups).slice(4).reverse();
    expect(report.forgotten).toEqual([second, first]);
    expect(report.backups[0]).toEqual({
      id: backups[5]!.id,
      at: '2026-11-06T00:00:00.000Z',
      state: 'complete',
      keep: true,
      reasons: ['last 1', 'daily 2026-11-06'],
    });
    expect(report.backups[5]).toMatchObject({ id: backups[0]!.id, keep: false, reasons: [] });
    expect(await idsOf(backend)).toEqual(newestFirst(backups.slice(2)));
    expect((await (await open(backend)).leases()).length).toBe(0);
    expect((await pruneOn(backend)).objects).toBe(2);
    expect(await isWhole(backend)).toBe(true);
  });

  test('counts complete backups only, shows damaged ones and leaves them', async () => {
    const { backend, backups } = await withDays(5);
    const torn = backups[4]!.id;
    backend.contents.set(manifestKey(torn), (backend.contents.get(manifestKey(torn)) as Buffer).subarray(9));
    const report = await forgetOn(backend, { rules: { last: 3 } });
    expect(report.forgotten).toEqual([backups[0]!.id]);
    expect(report.backups[0]).toMatchObject({
      id: torn,
      state: 'damaged',
      keep: true,
      reasons: ['damaged: goes only by its id'],
    });
    expect(await idsOf(backend)).toEqual(newestFirst(backups.slice(1)));
    expect((await forgetOn(backend, { ids: [torn] })).forgotten).toEqual([torn]);
    expect(await idsOf(backend)).not.toContain(torn);
  });

  test('does not count a backup that needs what a verify has found damaged, until that is stored anew', async () => {
    const { backend, backups } = await withDays(3);
    const [, intact, newest] = backups.map(({ id }) => id) as [string, string, string];
    const key = objectKey(hash('sha256', 'day 2'), 'raw');
    backend.contents.set(key, Buffer.from('dai 2'));
    const repo = await open(backend);
    expect((await repo.verify({ level: 'data' })).ok).toBe(false);
    expect((await repo.list()).map(({ state }) => state)).toEqual(['damaged', 'complete', 'complete']);
    expect((await repo.list())[0]).toMatchObject({ finding: 'damage-noted', message: expect.stringContaining(key) });

    const report = await forgetOn(backend, { rules: { last: 1 }, minimum: 1 });
    expect(report.backups.map(({ id, keep }) => keep && id)).toEqual([newest, intact, false]);
    expect(report.backups[0]).toMatchObject({ state: 'damaged', reasons: ['damaged: goes only by its id'] });
    // It is no substitute for the last complete one either.
    await expect(forgetOn(backend, { ids: [intact], minimum: 1 })).rejects.toMatchObject({ code: 'below-minimum' });

    await Writer.backUp(backend, ['day 2']);
    expect((await repo.list()).map(({ state }) => state)).toEqual(['complete', 'complete', 'complete']);
  });

  test('names the backups that need a damaged piece or object, by way of several levels, and no others', async () => {
    const backend = new MemoryBackend();
    const repo = await initOnBackend(backend, CLUSTER);
    const many = Object.fromEntries(Array.from({ length: 600 }, (_, i) => [`file ${i}`, `content ${i}`]));
    const first = await backUp(repo, many);
    const second = await backUp(repo, { ...many, 'file 7': 'another' });
    await backUp(repo, { other: 'x' });
    const statesWithout = async (key: string) => {
      await noteDamage(backend, key, {});
      const states = (await repo.list()).map(({ state }) => state);
      await clearDamage(backend, [key]);
      return states.join(' ');
    };
    expect(await statesWithout(objectKey(hash('sha256', 'content 7'), 'raw'))).toBe('complete complete damaged');
    expect(await statesWithout(objectKey(hash('sha256', 'another'), 'raw'))).toBe('complete damaged complete');
    expect(await statesWithout(objectKey(hash('sha256', 'content 9'), 'raw'))).toBe('complete damaged damaged');
    expect(await statesWithout(objectKey(hash('sha256', 'nobody'), 'raw'))).toBe('complete complete complete');
    const [of1, of2] = [await piecesOf(backend, first), await piecesOf(backend, second)];
    const [shared] = of1.filter((key) => of2.includes(key));
    const [own] = of2.filter((key) => !of1.includes(key));
    expect(await statesWithout(shared as string)).toBe('complete damaged damaged');
    expect(await statesWithout(own as string)).toBe('complete damaged complete');
  });

  test('costs one listing more than manifests where nothing is noted', async () => {
    const { backend } = await withDays(2);
    const watched = new Participant(backend);
    const repo = await open(watched.backend);
    watched.calls.length = 0;
    await repo.manifests();
    const plain = watched.calls.splice(0).length;
    await repo.list();
    expect(watched.calls).toHaveLength(plain + 1);
    expect(watched.calls.filter(({ key }) => key === 'damaged/')).toHaveLength(1);
  });

  test('is refused as a whole when fewer than the minimum would be left', async () => {
    const { backend, backups } = await withDays(4);
    const context = { left: 2, complete: 4, minimum: 3 };
    for (const choice of [{ rules: { last: 2 } }, { ids: [backups[0]!.id, backups[1]!.id] }]) {
      await expect(forgetOn(backend, choice)).rejects.toMatchObject({ code: 'below-minimum', context });
      await expect(forgetOn(backend, { ...choice, dryRun: true })).rejects.toMatchObject({ code: 'below-minimum' });
    }
    expect(await idsOf(backend)).toHaveLength(4);
    // Where there are fewer already, nothing must go, and that is no error.
    expect((await forgetOn(backend, { rules: { last: 9 }, minimum: 7 })).forgotten).toEqual([]);
    expect((await forgetOn(backend, { rules: { last: 2 }, minimum: 2 })).forgotten).toHaveLength(2);
  });

  test('needs a rule', async () => {
    const { backend } = await withDays(1);
    for (const rules of [{}, { last: 0, daily: 0 }]) {
      await expect(forgetOn(backend, { rules, minimum: 0 })).rejects.toMatchObject({ code: 'usage' });
    }
  });
});

describe('forget by ids', () => {
  test('takes these and no others; an unknown one takes none', async () => {
    const { backend, backups } = await withDays(5);
    await expect(forgetOn(backend, { ids: [backups[0]!.id, 'x'] })).rejects.toMatchObject({ code: 'backup-unknown' });
    expect(await idsOf(backend)).toHaveLength(5);
    expect((await forgetOn(backend, { ids: [backups[3]!.id] })).forgotten).toEqual([backups[3]!.id]);
    expect(await idsOf(backend)).not.toContain(backups[3]!.id);
  });

  test('that is killed between a manifest and its copy leaves no damage', async () => {
    const { backend, backups } = await withDays(4);
    const participant = new Participant(backend);
    const { id } = backups[0]!;
    const pause = participant.pauseBefore((call) => call.op === 'delete' && call.key === manifestKey(id));
    void forgetOn(participant.backend, { ids: [id] });
    await pause.reached;
    expect(await backend.sizes([manifestCopyKey(id)])).toEqual([undefined]);
    expect(await isWhole(backend)).toBe(true);
  });
});

describe('a backup that is being restored', () => {
  test('is kept by rules and refused by its id, also when its restore has fallen silent', async () => {
    const { backend, backups } = await withDays(5);
    const { id } = backups[0]!;
    const lease = await acquireLease(backend, 'restore', ownerOf('r'), { backups: [id] });
    expect((await forgetOn(backend, { rules: { last: 3 } })).forgotten).toEqual([backups[1]!.id]);
    await expect(forgetOn(backend, { ids: [id] })).rejects.toMatchObject({ code: 'locked', context: { backup: id } });
    await lease.leave();
    await expect(forgetOn(backend, { ids: [id] })).rejects.toMatchObject({ code: 'locked' });
    await lease.release();
    expect((await forgetOn(backend, { ids: [id] })).forgotten).toEqual([id]);
  });
});

describe('a forget that a signal ends', () => {
  test('stops between two backups, says which were forgotten, and gives its lease back', async () => {
    const { backend, backups } = await withDays(6);
    const stop = new AbortController();
    const person = new Participant(backend);
    const pause = person.pauseBefore((call) => call.op === 'delete' && call.key === manifestKey(backups[2]!.id));
    const forgetting = forgetOn(person.backend, { rules: { last: 3 }, signal: stop.signal });
    await pause.reached;
    stop.abort();
    pause.resume();
    await expect(forgetting).rejects.toMatchObject({
      code: 'cancelled',
      message: expect.stringContaining('1 of 3 backups were forgotten'),
      context: { forgotten: [backups[2]!.id] },
    });
    expect(await idsOf(backend)).toEqual(newestFirst(backups.filter((_, i) => i !== 2)));
    expect(await (await open(backend)).leases()).toEqual([]);
  });
});
