import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { MemoryBackend } from '../../src/repository/backend/memory-backend.ts';
import { PathBackend } from '../../src/repository/backend/path/path-backend.ts';
import { describeBackend } from './backend-contract.ts';

const none = async (): Promise<string[]> => [];

describeBackend('memory', async () => {
  const backend = new MemoryBackend();
  return {
    backend,
    another: () => backend,
    leftovers: none,
    partsArrive: async () => undefined,
    dispose: async () => undefined,
  };
});

describeBackend('path', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'skep-backend-'));
  const make = () => new PathBackend(folder);
  return {
    backend: make(),
    another: make,
    leftovers: none,
    partsArrive: async () => undefined,
    dispose: () => rm(folder, { recursive: true }),
  };
});

test('on a path a pipe or a folder in the place of a file is an error, and holds nobody up', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'skep-backend-'));
  try {
    execFileSync('mkfifo', [join(folder, 'pipe')]);
    await mkdir(join(folder, 'folder'));
    const backend = new PathBackend(folder);
    for (const key of ['pipe', 'folder']) {
      await expect(backend.get(key)).rejects.toMatchObject({ code: 'object-damaged' });
      await expect(backend.read(key)).rejects.toMatchObject({ code: 'object-damaged' });
    }
  } finally {
    await rm(folder, { recursive: true });
  }
});
