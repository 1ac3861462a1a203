import { generateX25519Identity, identityToRecipient } from 'age-encryption';
import { expect, test } from 'vitest';
import { MemoryBackend } from '../../../src/repository/backend/memory-backend.ts';
import { keysKey } from '../../../src/repository/format/keys.ts';
import { companionKey, manifestCopyKey } from '../../../src/repository/format/names.ts';
import { initOnBackend, openOnBackend } from '../../../src/repository/repository.ts';
import { requireWhole } from '../../../src/run/require-whole.ts';
import { backUp, CLUSTER } from '../repository/support/repository.ts';

const OPTIONS = { level: 'data' as const, signal: new AbortController().signal };

test('damaged keys, pages and copies do not keep a backup that can be read from being restored; a damaged object does', async () => {
  const identity = await generateX25519Identity();
  const keys = { namingKey: 'a'.repeat(64), recipients: [await identityToRecipient(identity)] };
  const backend = new MemoryBackend();
  const { id } = await backUp(await initOnBackend(backend, CLUSTER, keys), { a: 'content' });
  backend.contents.set(keysKey(1), Buffer.from('{}'));
  backend.contents.delete(companionKey(id, 'RESTORE.md'));
  backend.contents.set(manifestCopyKey(id), Buffer.from('{}'));
  const repository = await openOnBackend(backend, { ...keys, identities: [identity] });
  expect((await repository.verify({ level: 'data' })).ok).toBe(false);
  await requireWhole(repository, id, OPTIONS);
  const object = [...backend.contents.keys()].find((key) => key.startsWith('objects/')) as string;
  backend.contents.delete(object);
  await expect(requireWhole(repository, id, OPTIONS)).rejects.toMatchObject({
    code: 'damage-found',
    context: { findings: [{ kind: 'object-missing', key: object }] },
  });
});
