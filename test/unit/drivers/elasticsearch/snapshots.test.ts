import { describe, expect, test } from 'vitest';
import {
  awaitSnapshot,
  deleteSnapshot,
  listSnapshots,
  registerRepository,
  snapshotName,
  startSnapshot,
} from '../../../../src/drivers/elasticsearch/snapshots.ts';
import { fakeSearch, status } from './fake-search.ts';

const GOOD = {
  state: 'SUCCESS',
  indices: ['thehive_global', 'audits'],
  shards: { total: 4, failed: 0, successful: 4 },
  failures: [],
  start_time_in_millis: 10,
  end_time_in_millis: 20,
};

/** Waits for a snapshot that tells these states one after the other. */
function wait(states: unknown[], o: Parameters<typeof awaitSnapshot>[4] = {}) {
  const search = fakeSearch((_asked, n) => {
    const s = states[Math.min(n, states.length) - 1];
    if (s instanceof Error) throw s;
    return { snapshots: s === undefined ? [] : [s] };
  });
  return awaitSnapshot(search, 'repo', 'snap', ['thehive_global'], o);
}

describe('a snapshot of Elasticsearch', () => {
  test('is done when it says SUCCESS for every shard, not before', async () => {
    const progress: [number, number][] = [];
    const running = { state: 'IN_PROGRESS', indices: [], shards: { total: 4, failed: 0, successful: 1 } };
    const done = await wait([running, { state: 'IN_PROGRESS', indices: [] }, GOOD], {
      onProgress: (a, b) => progress.push([a, b]),
    });
    expect(done).toEqual({ startMs: 10, endMs: 20, shards: 4, indices: GOOD.indices });
    expect(progress).toEqual([
      [1, 4],
      [0, 0],
    ]);
  });

  const bad: [string, unknown, RegExp][] = [
    [
      'is PARTIAL',
      {
        ...GOOD,
        state: 'PARTIAL',
        shards: { total: 4, failed: 1, successful: 3 },
        failures: [{ reason: 'node left' }],
      },
      /PARTIAL, 1 shards failed: node left/,
    ],
    ['FAILED', { ...GOOD, state: 'FAILED' }, /FAILED/],
    [
      'says SUCCESS with a failed shard',
      { ...GOOD, shards: { total: 4, failed: 1, successful: 3 } },
      /1 shards failed/,
    ],
    [
      'says SUCCESS with fewer shards than there are',
      { ...GOOD, shards: { total: 4, failed: 0, successful: 3 } },
      /SUCCESS/,
    ],
    ['says SUCCESS of no shard', { ...GOOD, shards: { total: 0, failed: 0, successful: 0 } }, /SUCCESS/],
    ['does not speak of shards', { ...GOOD, shards: undefined }, /SUCCESS/],
    ['lacks an index', { ...GOOD, indices: ['audits'] }, /without thehive_global/],
    ['is in a state that nobody knows', { ...GOOD, state: 'INCOMPATIBLE' }, /INCOMPATIBLE/],
    ['has vanished from the list', undefined, /lost snapshot snap/],
    ['is not found', status(404), /lost snapshot snap/],
  ];

  test.each(bad)('that %s has failed', async (_what, state, message) => {
    await expect(wait([state])).rejects.toMatchObject({
      code: 'snapshot-failed',
      exitCode: 3,
      message: expect.stringMatching(message),
    });
  });

  test('that cannot be asked for is an error of Elasticsearch', async () => {
    await expect(wait([status(500)])).rejects.toMatchObject({ code: 'elasticsearch-failed' });
  });

  test('is no longer waited for when the run is stopped', async () => {
    const stop = new AbortController();
    const waiting = wait([{ state: 'IN_PROGRESS', indices: [] }], { signal: stop.signal });
    stop.abort();
    await expect(waiting).rejects.toThrow(/abort/i);
  });

  test('is asked for whole, without other state, under a name that Elasticsearch takes', async () => {
    const search = fakeSearch(() => ({ accepted: true }));
    await startSnapshot(search, 'repo', snapshotName('20261122T223755Z-AbC'), ['a', 'b']);
    expect(search.asked).toEqual([
      {
        method: 'PUT',
        path: '/_snapshot/repo/skep-20261122t223755z-abc',
        query: { wait_for_completion: false },
        body: {
          indices: 'a,b',
          ignore_unavailable: false,
          include_global_state: false,
          feature_states: ['none'],
          partial: false,
        },
      },
    ]);
  });

  test('may be deleted when it is gone; other failures are told', async () => {
    await deleteSnapshot(
      fakeSearch(() => {
        throw status(404);
      }),
      'repo',
      'snap',
    );
    await expect(
      deleteSnapshot(
        fakeSearch(() => {
          throw status(503);
        }),
        'repo',
        'snap',
      ),
    ).rejects.toMatchObject({ code: 'elasticsearch-failed' });
  });

  test('that is not skep’s own is left out of the list', async () => {
    const search = fakeSearch(() => ({ snapshots: [{ snapshot: 'skep-1' }, { snapshot: 'nightly' }] }));
    expect(await listSnapshots(search, 'repo')).toEqual(['skep-1']);
  });
});

describe('a repository of Elasticsearch', () => {
  const VERIFIED = { nodes: { a: { name: 'n1' }, b: { name: 'n2' } } };
  const registered = (settings: object) => ({ repo: { type: 'fs', settings } });

  /** Registers `/es` where there is this, or nothing; gives the methods and paths that were asked, and the body of a PUT. */
  async function register(there: unknown, readonly = false) {
    const search = fakeSearch(({ method }) => {
      if (method === 'POST') return VERIFIED;
      if (method === 'GET' && there instanceof Error) throw there;
      return there;
    });
    expect(await registerRepository(search, 'repo', '/es', readonly ? { readonly } : {})).toEqual(['n1', 'n2']);
    expect(search.asked.at(-1)).toMatchObject({ method: 'POST', path: '/_snapshot/repo/_verify' });
    return search.asked.find((a) => a.method === 'PUT')?.body;
  }

  test('is registered where it is not, or is another, and always verified by every node', async () => {
    expect(await register(status(404), true)).toEqual({ type: 'fs', settings: { location: '/es', readonly: true } });
    expect(await register(status(404))).toEqual({ type: 'fs', settings: { location: '/es' } });
    for (const other of [registered({ location: '/other' }), registered({ location: '/es', readonly: 'true' })]) {
      expect(await register(other)).toEqual({ type: 'fs', settings: { location: '/es' } });
    }
  });

  test('is left alone when it is as it should be: a snapshot may be using it', async () => {
    expect(await register(registered({ location: '/es' }))).toBeUndefined();
    expect(await register(registered({ location: '/es', readonly: 'true' }), true)).toBeUndefined();
  });

  test('that cannot be looked at is an error', async () => {
    await expect(register(status(500))).rejects.toMatchObject({ code: 'elasticsearch-failed' });
  });
});
