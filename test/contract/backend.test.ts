import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MemoryBackend } from '../../src/repository/backend/memory-backend.ts';
import { PathBackend } from '../../src/repository/backend/path/path-backend.ts';
import { describeBackend } from './backend-contract.ts';

describeBackend('memory', async () => ({ backend: new MemoryBackend(), dispose: async () => undefined }));

describeBackend('path', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'skep-backend-'));
  return { backend: new PathBackend(folder), dispose: () => rm(folder, { recursive: true }) };
});
