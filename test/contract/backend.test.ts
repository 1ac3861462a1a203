import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MemoryBackend } from '../../src/repository/backend/memory-backend.ts';
import { PathBackend } from '../../src/repository/backend/path/path-backend.ts';
import { describeBackend } from './backend-contract.ts';

const none = async (): Promise<string[]> => [];

describeBackend('memory', async () => {
  const backend = new MemoryBackend();
  return { backend, another: () => backend, leftovers: none, dispose: async () => undefined };
});

describeBackend('path', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'skep-backend-'));
  const make = () => new PathBackend(folder);
  return { backend: make(), another: make, leftovers: none, dispose: () => rm(folder, { recursive: true }) };
});
