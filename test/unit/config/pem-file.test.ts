import { generateKeyPairSync } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readCa, readPrivateKey } from '../../../src/config/pem-file.ts';
import { temporaryFolder } from '../support/folder.ts';

const { privateKey } = generateKeyPairSync('ed25519');

test('a private key is read as it is', async () => {
  const file = join(await temporaryFolder(), 'key.pem');
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' });
  await writeFile(file, pem);
  expect(await readPrivateKey(file, 'cassandra.client.key_file')).toBe(pem);
});

test('what is absent, no certificate, no key or closed by a passphrase is told by its place, and nothing of what is in it', async () => {
  const folder = await temporaryFolder();
  const words = join(folder, 'words');
  await writeFile(words, 'hunter2');
  const closed = join(folder, 'closed');
  const cipher = { cipher: 'aes-256-cbc', passphrase: 'hunter2' };
  await writeFile(closed, privateKey.export({ type: 'pkcs8', format: 'pem', ...cipher }));
  for (const file of [join(folder, 'none'), folder, words, closed]) {
    for (const read of [readCa, readPrivateKey]) {
      const refused = read(file, 'cassandra.client.key_file');
      await expect(refused).rejects.toMatchObject({ code: 'config-invalid', context: { file } });
      await expect(refused.catch((e: Error) => `${e.message} ${JSON.stringify(e)}`)).resolves.not.toContain('hunter2');
    }
  }
});
