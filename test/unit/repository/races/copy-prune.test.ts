import { expect, test } from 'vitest';
import { initOnBackend, openOnBackend } from '../../../../src/repository/repository.ts';
import { MemoryBackend } from '../../../../src/repository/backend/memory-backend.ts';
import { listLeases } from '../../../../src/repository/lease/index.ts';
import { DEAD, dropManifest, isWhole, onEachBackend, open, ownerOf, pruneOn, Writer } from '../support/races.ts';
import { CLUSTER, nextBackupId } from '../support/repository.ts';
import { Participant } from '../support/step-backend.ts';

const CONTENTS = ['a', 'b', 'c'];

onEachBackend('copy beside prune', (make) => {
  async function target() {
    const backend = new MemoryBackend();
    return { backend, repo: await initOnBackend(backend, CLUSTER) };
  }

  test('a prune of the source waits for a slow copy of what was forgotten meanwhile', async () => {
    const source = await make();
    const { id } = await Writer.backUp(source, CONTENTS);
    await Writer.backUp(source, ['kept']);
    const to = await target();
    const slow = new Participant(source);
    const pause = slow.pauseBefore((call) => call.op === 'get' && call.key.startsWith('objects/'));
    const copying = to.repo.copyFrom(await openOnBackend(slow.backend), { owner: ownerOf(nextBackupId()), ids: [id] });
    await pause.reached;
    await dropManifest(source, id);
    const waitedFor: string[] = [];
    const pruning = pruneOn(source, { onWait: (leases) => waitedFor.push(...leases.map(({ kind }) => kind)) });
    await expect.poll(() => waitedFor).toEqual(['read']);
    pause.resume();
    expect(await copying).toMatchObject({ copied: [{ from: id }] });
    expect(await pruning).toMatchObject({ objects: 3 });
    expect(await isWhole(to.backend)).toBe(true);
  });

  test('a paused copy that was taken for dead, and whose source was pruned, publishes nothing', async () => {
    const source = await make();
    const { id } = await Writer.backUp(source, CONTENTS);
    await Writer.backUp(source, ['kept']);
    const to = await target();
    const slow = new Participant(source);
    const pause = slow.pauseBefore((call) => call.op === 'get' && call.key.startsWith('objects/'));
    const owner = ownerOf(nextBackupId());
    const copying = to.repo.copyFrom(await openOnBackend(slow.backend), { owner, ids: [id] }).catch((e: unknown) => e);
    await pause.reached;
    await dropManifest(source, id);
    expect(await pruneOn(source, DEAD)).toMatchObject({ objects: 3 });
    pause.resume();
    expect(await copying).toMatchObject({ code: 'damage-found', context: { backups: [id] } });
    expect(await to.repo.list()).toEqual([]);
    expect([...(await listLeases(to.backend)), ...(await listLeases(source))]).toEqual([]);
    expect(await (await open(source)).verify({ level: 'data' })).toMatchObject({ ok: true });
  });

  test('a prune of the target keeps what a paused copy has brought, also once it has come back', async () => {
    const source = await make();
    const { id } = await Writer.backUp(source, CONTENTS);
    const to = await target();
    const slow = new Participant(to.backend);
    const pause = slow.pauseBefore((call) => call.op === 'put' && call.key.endsWith('/manifest.json'));
    const copying = (await openOnBackend(slow.backend)).copyFrom(await open(source), {
      owner: ownerOf(nextBackupId()),
    });
    await pause.reached;
    const waitedFor: string[] = [];
    const pruning = pruneOn(to.backend, { onWait: (leases) => waitedFor.push(...leases.map(({ kind }) => kind)) });
    await expect.poll(() => waitedFor).toEqual(['write']);
    pause.resume();
    expect(await copying).toMatchObject({ copied: [{ from: id }] });
    expect(await pruning).toMatchObject({ objects: 0, backups: 1 });
    expect(await isWhole(to.backend)).toBe(true);
  });
});
