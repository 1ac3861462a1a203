import { randomBytes } from 'node:crypto';
import { SkepError } from '../../errors.ts';
import type { Backend } from './backend.ts';

/** Tries, in a place of its own, all that a repository relies on; `repository-unfit` names what is not kept. */
export async function probeBackend(backend: Backend): Promise<void> {
  const prefix = `incoming/probe-${randomBytes(6).toString('hex')}/`;
  const first = randomBytes(1000);
  const second = randomBytes(1000);
  try {
    const key = `${prefix}created`;
    expect((await backend.put(key, first)) === 'created', 'a new name can be written');
    expect((await backend.get(key)).equals(first), 'what was written can be read at once');
    expect((await backend.put(key, second)) === 'exists', 'a name that exists is not written again (create-only)');
    expect((await backend.get(key)).equals(first), 'a refused write leaves the old bytes');
    expect((await backend.get(key, { start: 10, end: 20 })).equals(first.subarray(10, 20)), 'ranges can be read');
    expect((await backend.sizes([key, `${prefix}absent`])).join() === '1000,', 'sizes are told');
    await probeBatch(backend, prefix, first);
    expect(await backend.delete(key), 'a name can be deleted');
    expect((await backend.sizes([key]))[0] === undefined, 'a deleted name is gone at once');
  } catch (error) {
    if (error instanceof SkepError && error.code === 'repository-failed') {
      const message = `the storage at ${backend.location} is not fit: ${error.message}`;
      throw new SkepError('repository-unfit', message, { cause: error });
    }
    throw error;
  } finally {
    await backend.deletePrefix(prefix);
  }
}

async function probeBatch(backend: Backend, prefix: string, bytes: Buffer): Promise<void> {
  const batch = backend.openBatch(`${prefix}batch/`);
  const key = `${prefix}published`;
  for (const expected of ['', key]) {
    batch.add(await batch.stageBytes(bytes), key, 'fail');
    const existed = [...(await batch.flush())].join();
    expect(existed === expected, 'a staged file is published by a hard link, and once');
  }
  expect((await backend.get(key)).equals(bytes), 'what was published can be read');
  const listed: string[] = [];
  for await (const found of backend.list(prefix)) listed.push(found.key);
  expect(listed.includes(key), 'what was published is listed');
  await batch.close();
}

function expect(kept: boolean, promise: string): void {
  if (!kept) throw new SkepError('repository-failed', `it does not hold that ${promise}`);
}
