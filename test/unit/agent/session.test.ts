import { rmSync } from 'node:fs';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { handlers } from '../../../src/agent/handlers.ts';
import { Session } from '../../../src/agent/session.ts';
import { params } from '../../../src/protocol/methods.ts';
import { initRepository, newBackupId } from '../../../src/repository/index.ts';
import { temporaryFolder } from '../support/folder.ts';

const ctx = (signal = new AbortController().signal) => ({ signal, emit: async () => {} });

async function scene() {
  const root = await temporaryFolder();
  vi.stubEnv('XDG_CACHE_HOME', join(root, 'cache'));
  onTestFinished(() => void vi.unstubAllEnvs());
  const session = new Session();
  const methods = handlers(session);
  onTestFinished(() => session.end());
  const call = (method: string, p: unknown, signal?: AbortSignal) => {
    const handle = methods[method];
    if (!handle) throw new Error(`no method ${method}`);
    return handle(p, ctx(signal)) as Promise<Record<string, unknown>>;
  };
  return { root, session, methods, call };
}

async function commitlog(root: string): Promise<string> {
  const dir = join(root, 'commitlog');
  await mkdir(dir);
  await writeFile(join(dir, 'CommitLog-7-1.log'), 'x');
  return dir;
}

describe('the methods of an agent', () => {
  test('are those that the protocol has, each with its parameters checked first', async () => {
    const { methods, call } = await scene();
    expect(Object.keys(methods).sort()).toEqual(Object.keys(params).sort());
    for (const method of Object.keys(params)) {
      await expect(call(method, 'garbage')).rejects.toMatchObject({
        code: 'protocol-error',
        message: expect.stringContaining(method),
      });
    }
    await expect(call('pin.start', { run: '../x', commitlogDir: '/x' })).rejects.toMatchObject({
      code: 'protocol-error',
    });
  });

  test('that need another before them say so', async () => {
    const { root, call } = await scene();
    const target = { repository: { location: root }, run: 'run-1', writer: 'w' };
    await expect(call('pin.list', { run: 'run-1' })).rejects.toMatchObject({ code: 'protocol-error' });
    await expect(call('files.finish', { target })).rejects.toMatchObject({ code: 'protocol-error' });
    expect(await call('pin.clear', { run: 'run-1' })).toBeNull();
    expect(await call('files.stop', { run: 'run-1' })).toBeNull();
  });

  test('tell the space of the nearest folder for a place that is not there', async () => {
    const { root, call } = await scene();
    const { space, addresses } = (await call('node.facts', { paths: [root, join(root, 'none', 'deeper')] })) as {
      addresses: string[];
      space: Record<string, unknown>[];
    };
    expect(addresses).toContain('127.0.0.1');
    expect(space).toMatchObject([
      { path: root, exists: true, readable: true, writable: true, uid: process.getuid?.() },
      { exists: false, readable: false, writable: false, device: space[0]?.device },
    ]);
    expect(space[1]).not.toHaveProperty('uid');
    expect(space[1]?.freeBytes).toBeGreaterThan(0);
  });

  test('store a tree with modes, and lay it out again as it was', async () => {
    const { root, call } = await scene();
    await initRepository(join(root, 'repository'), { clusterName: 'prod', clusterId: 'c' });
    const folder = join(root, 'tree');
    await mkdir(join(folder, 'indices', '0'), { recursive: true });
    await writeFile(join(folder, 'index-1'), 'one', { mode: 0o600 });
    await writeFile(join(folder, 'indices', '0', 'blob'), Buffer.alloc(300_000, 7));
    const repository = { location: join(root, 'repository') };
    const target = { repository, run: newBackupId(), writer: 'n1-elasticsearch' };
    const done = await call('capture.tree', { target, folder });
    expect(done).toMatchObject({ newObjects: 2, listing: { files: 2, bytes: 300_003 } });
    expect(await call('capture.tree', { target: { ...target, run: newBackupId() }, folder })).toMatchObject({
      newObjects: 0,
      newBytes: 0,
    });
    const to = join(root, 'again');
    expect(await call('restore.tree', { repository, listing: done.listing, prefix: '', to })).toMatchObject({
      files: 2,
      reused: 0,
    });
    expect((await readdir(to, { recursive: true })).sort()).toEqual([
      'index-1',
      'indices',
      'indices/0',
      'indices/0/blob',
    ]);
    const stop = AbortSignal.abort();
    await expect(call('capture.tree', { target: { ...target, run: newBackupId() }, folder }, stop)).rejects.toThrow();
  });
});

test('a file of a tree that goes away while the tree is stored is missing, and so is a tree that is not there', async () => {
  const { root, methods } = await scene();
  await initRepository(join(root, 'repository'), { clusterName: 'prod', clusterId: 'c' });
  const folder = join(root, 'tree');
  await mkdir(folder);
  for (const name of ['a', 'b']) await writeFile(join(folder, name), name);
  const target = { repository: { location: join(root, 'repository') }, run: newBackupId(), writer: 'w' };
  // The first progress comes between the two.
  const emit = async () => rmSync(join(folder, 'b'));
  const store = (p: unknown) => methods['capture.tree']!(p, { ...ctx(), emit });
  await expect(store({ target, folder })).rejects.toMatchObject({
    code: 'file-missing',
    context: { path: join(folder, 'b') },
  });
  const none = { target: { ...target, run: newBackupId() }, folder: join(root, 'none') };
  await expect(store(none)).rejects.toMatchObject({ code: 'file-missing' });
});

describe('the end of a session', () => {
  test('removes pins, drops what was staged, and does what was asked for and not called off', async () => {
    const { root, session, call } = await scene();
    await initRepository(join(root, 'repository'), { clusterName: 'prod', clusterId: 'c' });
    const run = newBackupId();
    await call('pin.start', { run, commitlogDir: await commitlog(root) });
    const store = await session.openStore({ repository: { location: join(root, 'repository') }, run, writer: 'w' });
    await writeFile(join(root, 'big'), Buffer.alloc(400_000, 1));
    await store.writer.putFile(join(root, 'big'));
    for (const id of ['done', 'kept', 'broken']) {
      await call('node.onExit', { id, argv: id === 'broken' ? ['/none/x'] : ['touch', join(root, id)] });
    }
    await call('node.offExit', { id: 'done' });
    await session.end();
    expect((await readdir(root)).sort()).toEqual(['big', 'commitlog', 'kept', 'repository']);
    const staged = await readdir(join(root, 'repository', 'incoming'), { recursive: true, withFileTypes: true });
    expect(staged.filter((e) => e.isFile())).toEqual([]);
  });
});
