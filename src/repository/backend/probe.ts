import { hash, randomBytes } from 'node:crypto';
import { SkepError } from '../../errors.ts';
import type { Backend, Batch, ContentSource } from './backend.ts';

/** More than one part of an object storage. */
const LARGE = 9 << 20;

/** What a repository relies on, in the words of a refusal. */
const PROMISES = {
  created: 'a new name can be written',
  readAtOnce: 'what was written can be read at once',
  createOnly: 'a name that exists is not written again (create-only)',
  overwritten: 'a lease can be written anew, and is read so at once',
  ranges: 'ranges can be read',
  sizes: 'sizes are told',
  published: 'a staged content is published whole, and once',
  publishedLarge: 'a large content is published whole, and once',
  checked: 'bytes of another SHA-256 than the signed one are refused',
  oldRefused: 'a request that was signed twenty minutes ago is refused',
  listed: 'what is there is listed at once',
  deleted: 'a deleted name is gone at once',
  createdAgain: 'a deleted name can be written again',
  notLocked: 'a new name is not locked (the bucket has a default retention)',
} as const;

type Promises = keyof typeof PROMISES;

/**
 * Tries, in a place of its own, all that a repository relies on; `repository-unfit` names what is not kept. `thorough` also
 * publishes a large content, twice.
 */
export async function probeBackend(backend: Backend, o: { thorough?: boolean } = {}): Promise<void> {
  const prefix = `incoming/probe-${randomBytes(6).toString('hex')}/`;
  const keeps = async (promise: Promises, holds: () => Promise<boolean>): Promise<void> => {
    if (!(await orUnfit(backend, promise, holds))) throw unfit(backend, promise);
  };
  try {
    await probeKey(backend, `${prefix}key`, keeps);
    await probeLeaving(backend, prefix, keeps);
    await probeBatch(backend, prefix, keeps);
    if (o.thorough === true && backend.keyFirst === true) await probeLarge(backend, prefix, keeps);
    await probeSource(backend, prefix, keeps);
    await keeps('oldRefused', async () => (await backend.refusesOld?.(`${prefix}old`)) ?? true);
  } catch (error) {
    // What cannot be removed either, since it is locked, is not what is to be told.
    await backend.deletePrefix(prefix).catch(() => undefined);
    throw error;
  }
  await backend.deletePrefix(prefix);
}

type Keeps = (promise: Promises, holds: () => Promise<boolean>) => Promise<void>;

async function probeKey(backend: Backend, key: string, keeps: Keeps): Promise<void> {
  const [first, second] = [randomBytes(1000), randomBytes(1000)];
  const reads = async (bytes: Buffer) => (await backend.get(key)).equals(bytes);
  await keeps('created', async () => (await backend.put(key, first)) === 'created');
  await keeps('readAtOnce', () => reads(first));
  await keeps('createOnly', async () => (await backend.put(key, second)) === 'exists' && reads(first));
  await keeps('ranges', async () => (await backend.get(key, { start: 10, end: 20 })).equals(first.subarray(10, 20)));
  await keeps('sizes', async () => (await backend.sizes([key, `${key}-absent`])).join() === '1000,');
  await keeps('notLocked', async () => (await backend.retention?.lockedUntil([key]))?.[0] === undefined);
  await keeps('overwritten', async () => {
    await backend.put(key, second, { overwrite: true });
    return reads(second);
  });
}

async function probeLeaving(backend: Backend, prefix: string, keeps: Keeps): Promise<void> {
  const key = `${prefix}key`;
  await keeps('listed', async () => (await listed(backend, prefix)).includes(key));
  await keeps('deleted', async () => {
    const was = await backend.delete(key);
    const [size] = await backend.sizes([key]);
    return was && size === undefined && !(await listed(backend, prefix)).includes(key);
  });
  await keeps('createdAgain', async () => (await backend.put(key, randomBytes(10))) === 'created');
}

async function probeBatch(backend: Backend, prefix: string, keeps: Keeps): Promise<void> {
  const batch = backend.openBatch(`${prefix}batch/`);
  const key = `${prefix}published`;
  const bytes = randomBytes(1000);
  await keeps('published', async () => {
    for (const expected of ['', key]) {
      batch.add(await batch.stageBytes(bytes), key, 'fail');
      if ([...(await batch.flush())].join() !== expected) return false;
    }
    return (await backend.get(key)).equals(bytes);
  });
  await batch.close();
}

async function probeLarge(backend: Backend, prefix: string, keeps: Keeps): Promise<void> {
  const batch = backend.openBatch(`${prefix}batch/`);
  const key = `${prefix}large`;
  const bytes = randomBytes(LARGE);
  await keeps('publishedLarge', async () => {
    for (const expected of ['', key]) {
      await addLarge(batch, key, bytes);
      if ([...(await batch.flush())].join() !== expected) return false;
    }
    return (await backend.get(key)).equals(bytes);
  });
  await batch.close();
}

/** Contents that go to their key straight from a file are compared with their hash by the storage only. */
async function probeSource(backend: Backend, prefix: string, keeps: Keeps): Promise<void> {
  const batch = backend.openBatch(`${prefix}batch/`);
  if (batch.stageSource === undefined) return;
  const key = `${prefix}source`;
  const [wrong, right] = [randomBytes(1000), randomBytes(1000)];
  let attempts = 0;
  const source: ContentSource = {
    path: 'probe',
    size: right.length,
    sha256: hash('sha256', right),
    async read(into, position) {
      if (position === 0) attempts++;
      return (attempts === 1 ? wrong : right).copy(into, 0, position);
    },
    close() {},
  };
  await keeps('checked', async () => {
    const staged = await batch.stageSource?.(source);
    if (staged === undefined) return false;
    batch.add(staged, key, 'fail');
    await batch.flush();
    return attempts === 2 && (await backend.get(key)).equals(right);
  });
  await batch.close();
}

async function addLarge(batch: Batch, key: string, bytes: Buffer): Promise<void> {
  const staged = await batch.stage({ key, size: bytes.length });
  await staged.write(bytes);
  await staged.end();
  batch.add(staged, key, 'fail');
}

async function listed(backend: Backend, prefix: string): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of backend.list(prefix)) keys.push(key);
  return keys;
}

/** A failure that will not pass by itself, of a call that should succeed, is a promise that is not kept. */
async function orUnfit<T>(backend: Backend, promise: Promises, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    const code = error instanceof SkepError && !error.retryable ? error.code : undefined;
    if (code === 'repository-failed' || code === 'object-missing') throw unfit(backend, promise, error as SkepError);
    throw error;
  }
}

function unfit(backend: Backend, promise: Promises, cause?: SkepError): SkepError {
  const why = cause === undefined ? '' : `: ${cause.message}`;
  const message = `the storage at ${backend.location} does not hold that ${PROMISES[promise]}${why}`;
  return new SkepError('repository-unfit', message, { context: { promise }, cause });
}
