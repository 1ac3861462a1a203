import { chmod, mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { handlers } from '../../../src/agent/handlers.ts';
import { Session } from '../../../src/agent/session.ts';
import type { Captured } from '../../../src/protocol/methods.ts';
import { initRepository, newBackupId } from '../../../src/repository/index.ts';
import { temporaryFolder } from '../support/folder.ts';

async function scene() {
  const root = await temporaryFolder();
  vi.stubEnv('XDG_CACHE_HOME', join(root, 'cache'));
  onTestFinished(() => void vi.unstubAllEnvs());
  const etc = join(root, 'etc');
  await mkdir(join(etc, 'thehive', 'tls'), { recursive: true });
  await writeFile(join(etc, 'thehive', 'application.conf'), 'play.http.secret');
  await writeFile(join(etc, 'thehive', 'tls', 'key.pem'), 'a key', { mode: 0o600 });
  await symlink(join(etc, 'thehive', 'tls', 'key.pem'), join(etc, 'thehive', 'linked.pem'));
  await symlink('/nowhere', join(etc, 'thehive', 'dangling.pem'));
  const location = join(root, 'repository');
  const repository = await initRepository(location, { clusterName: 'prod', clusterId: 'c' });
  const session = new Session();
  onTestFinished(() => session.end());
  const methods = handlers(session);
  const context = { signal: new AbortController().signal, emit: async () => {} };
  const target = { repository: { location }, run: newBackupId(), writer: 'n1-config' };
  const capture = (paths: { path: string; optional: boolean }[]) =>
    methods['capture.config']!({ target, paths }, context) as Promise<Captured>;
  return { etc, repository, capture };
}

test('files and folders are kept with their modes, what is usual but not there is left out', async () => {
  const { etc, repository, capture } = await scene();
  const { listing } = await capture([
    { path: join(etc, 'thehive'), optional: true },
    { path: join(etc, 'thehive', 'application.conf'), optional: false },
    { path: join(etc, 'cassandra'), optional: true },
  ]);
  const kept = new Map<string, number | undefined>();
  for await (const entry of repository.readListing(listing))
    kept.set(entry.path, entry.linkTo === undefined ? entry.mode : 0);
  const at = (name: string) => join(etc, 'thehive', name).slice(1);
  expect(kept.get(at('tls/key.pem'))).toBe(0o600);
  expect(kept.has(at('application.conf'))).toBe(true);
  expect(kept.has(at('linked.pem'))).toBe(true);
  const others = [...kept.keys()].filter((path) => !path.startsWith(etc.slice(1)));
  // Debian's and Red Hat's machines have one, others none.
  expect([[], ['packages.tsv']]).toContainEqual(others);
});

test('what is named in skep.yaml must be there', async () => {
  const { etc, capture } = await scene();
  await expect(capture([{ path: join(etc, 'nothing'), optional: false }])).rejects.toMatchObject({
    code: 'file-missing',
    message: expect.stringContaining('nothing'),
  });
});

test.skipIf(process.getuid?.() === 0)('what may not be read is an error that says how it may be', async () => {
  const { etc, capture } = await scene();
  await chmod(join(etc, 'thehive', 'tls', 'key.pem'), 0);
  await expect(capture([{ path: join(etc, 'thehive'), optional: true }])).rejects.toMatchObject({
    code: 'file-unreadable',
    hint: expect.stringContaining('agent.users.config'),
  });
});
