import { Readable } from 'node:stream';
import { expect, test } from 'vitest';
import { backUp, memoryRepository } from './support/repository.ts';

test('a stored form that is read too short is not taken for what is stored', async () => {
  const { repo, backend } = await memoryRepository();
  const a = 'it shrinks '.repeat(200);
  await backUp(repo, { a }, 'auto');
  const read = backend.read.bind(backend);
  let reads = 0;
  backend.read = async (key, range) => {
    // The first reading is of the content, the second of the bytes as they are stored.
    if (++reads !== 2) return read(key, range);
    return Readable.from([(await backend.get(key)).subarray(1)], { objectMode: false });
  };
  await expect(backUp(repo, { a, b: a }, 'auto')).rejects.toMatchObject({ code: 'repository-failed' });
  expect(reads).toBe(2);
});
