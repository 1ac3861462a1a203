import { spawn, type ChildProcess } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { appendFileSync, existsSync, readdirSync } from 'node:fs';
import { readdir, readFile, stat, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { execFileSync } from 'node:child_process';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { SkepError } from '../../../src/errors.ts';
import { initRepository, type Repository } from '../../../src/repository/index.ts';
import { CLUSTER, collect, nextBackupId, temporaryFolder, writeTemporary } from './support/repository.ts';

vi.setConfig({ testTimeout: 60_000 });

const SIZES = [0, 1, 4096, 256 << 10, (256 << 10) + 1, 1 << 20, (3 << 20) + 17, 5 << 20];

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function objectPath(repo: Repository, name: string): string {
  return join(repo.location, 'objects', name.slice(0, 2), name);
}

async function setUp(): Promise<{ repo: Repository; folder: string; run: string }> {
  const folder = await temporaryFolder();
  return { repo: await initRepository(join(folder, 'repo'), CLUSTER), folder, run: nextBackupId() };
}

async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}

describe('what was put', () => {
  test.each(SIZES)('%i bytes come back the same, read-only, under their hash', async (size) => {
    const { repo, folder, run } = await setUp();
    const bytes = randomBytes(size);
    const writer = repo.objectWriter({ run, writer: 'n1' });
    let read = 0;
    const stored = await writer.putFile(await writeTemporary(folder, 'f', bytes), { onBytes: (n) => (read += n) });
    const name = sha256(bytes);
    const form = { encoding: 'raw', storedSize: size, storedSha256: name };
    expect(stored).toEqual({ name, sha256: name, size, ...form, isNew: true });
    expect(read).toBe(size);
    await writer.close();
    expect(Buffer.concat(await collect(await repo.readObject(name))).equals(bytes)).toBe(true);
    expect(await repo.extract(name, join(folder, 'out'), { mode: 0o600 })).toBe(size);
    expect((await readFile(join(folder, 'out'))).equals(bytes)).toBe(true);
    expect((await stat(objectPath(repo, name))).mode & 0o777).toBe(0o440);
    expect((await stat(join(folder, 'out'))).mode & 0o777).toBe(0o600);
    expect(await readdir(join(repo.location, 'incoming'))).toEqual(['put']);
  });

  test('is published by flush, not before', async () => {
    const { repo, run } = await setUp();
    const writer = repo.objectWriter({ run, writer: 'n1' });
    const { name } = await writer.putBytes(Buffer.from('content'));
    expect(await writer.find(name, 7)).toBeUndefined();
    await writer.flush();
    expect(await writer.find(name, 7)).toMatchObject({ name, size: 7, isNew: false });
    expect(await writer.find(name, 8)).toBeUndefined();
    await writer.close();
  });

  test('is kept once, whether it came before, in the same group or in another run', async () => {
    const { repo, folder, run } = await setUp();
    const [small, large] = [randomBytes(1000), randomBytes(1 << 20)];
    const writer = repo.objectWriter({ run, writer: 'n1' });
    const paths = [await writeTemporary(folder, 's', small), await writeTemporary(folder, 'l', large)];
    const first = await Promise.all([...paths, ...paths].map((path) => writer.putFile(path)));
    expect(first.filter((stored) => stored.isNew)).toHaveLength(2);
    await writer.flush();
    expect((await writer.putFile(paths[1] as string)).isNew).toBe(false);
    expect(writer.totals).toEqual({
      objects: 5,
      bytes: 3 * (1 << 20) + 2000,
      newObjects: 2,
      newBytes: (1 << 20) + 1000,
    });
    await writer.close();
    const again = repo.objectWriter({ run: nextBackupId(), writer: 'n1' });
    for (const path of paths) expect((await again.putFile(path)).isNew).toBe(false);
    await again.close();
    expect(again.totals.newBytes).toBe(0);
    expect(await filesBelow(join(repo.location, 'objects'))).toHaveLength(2);
  });

  test('a file that grows while it is read is stored as far as it was read', async () => {
    const { repo, folder, run } = await setUp();
    const path = await writeTemporary(folder, 'growing', randomBytes(4 << 20));
    const writer = repo.objectWriter({ run, writer: 'n1' });
    let grown = false;
    const stored = await writer.putFile(path, {
      onBytes: () => {
        if (!grown) appendFileSync(path, randomBytes(100_000));
        grown = true;
      },
    });
    await writer.close();
    const whole = await readFile(path);
    expect(stored.name).toBe(sha256(whole.subarray(0, stored.size)));
    expect(stored.size).toBeGreaterThanOrEqual(4 << 20);
    const kept = Buffer.concat(await collect(await repo.readObject(stored.name)));
    expect(kept.equals(whole.subarray(0, stored.size))).toBe(true);
  });
});

describe('what cannot be kept', () => {
  test.each([1000, 2 << 20])('%i bytes with another hash than expected are refused and leave nothing', async (size) => {
    const { repo, folder, run } = await setUp();
    const path = await writeTemporary(folder, 'f', randomBytes(size));
    const writer = repo.objectWriter({ run, writer: 'n1' });
    const expectSha256 = sha256(Buffer.from('other'));
    await expect(writer.putFile(path, { expectSha256 })).rejects.toMatchObject({ code: 'object-damaged' });
    await writer.close();
    expect(existsSync(join(repo.location, 'objects'))).toBe(false);
  });

  test.each([1000, 2 << 20])('%i bytes that are there already are read and still compared', async (size) => {
    const { repo, folder, run } = await setUp();
    const bytes = randomBytes(size);
    const writer = repo.objectWriter({ run, writer: 'n1' });
    await writer.putBytes(bytes);
    await writer.flush();
    const path = await writeTemporary(folder, 'f', bytes);
    expect((await writer.putFile(path, { expectSha256: sha256(bytes) })).isNew).toBe(false);
    const changed = Buffer.from(bytes);
    changed[size - 1]! ^= 1;
    await writeTemporary(folder, 'f', changed);
    await expect(writer.putFile(path, { expectSha256: sha256(bytes) })).rejects.toMatchObject({
      code: 'object-damaged',
    });
    await writer.close();
  });

  test('absent files, folders and pipes are typed errors', async () => {
    const { repo, folder, run } = await setUp();
    const writer = repo.objectWriter({ run, writer: 'n1' });
    execFileSync('mkfifo', [join(folder, 'pipe')]);
    await symlink('nowhere', join(folder, 'dangling'));
    await expect(writer.putFile(join(folder, 'absent'))).rejects.toMatchObject({ code: 'file-missing' });
    await expect(writer.putFile(join(folder, 'dangling'))).rejects.toMatchObject({ code: 'file-missing' });
    await expect(writer.putFile(folder)).rejects.toMatchObject({ code: 'file-unreadable' });
    await expect(writer.putFile(join(folder, 'pipe'))).rejects.toMatchObject({ code: 'file-unreadable' });
    await writer.close();
  });

  test('a cancelled file leaves nothing, and the writer goes on', async () => {
    const { repo, folder, run } = await setUp();
    const path = await writeTemporary(folder, 'f', randomBytes(4 << 20));
    const writer = repo.objectWriter({ run, writer: 'n1' });
    const controller = new AbortController();
    const putting = writer.putFile(path, { signal: controller.signal, onBytes: () => controller.abort() });
    await expect(putting).rejects.toMatchObject({ code: 'cancelled' });
    expect(await filesBelow(join(repo.location, 'incoming'))).toEqual([]);
    expect((await writer.putFile(path)).isNew).toBe(true);
    await writer.close();
  });

  test('an aborted writer leaves nothing and takes nothing more', async () => {
    const { repo, run } = await setUp();
    const writer = repo.objectWriter({ run, writer: 'n1' });
    const other = repo.objectWriter({ run, writer: 'n2' });
    await writer.putBytes(randomBytes(100));
    const kept = await other.putBytes(randomBytes(100));
    await writer.abort();
    await expect(writer.putBytes(randomBytes(100))).rejects.toBeInstanceOf(SkepError);
    await expect(writer.flush()).rejects.toBeInstanceOf(SkepError);
    await other.close();
    expect(await filesBelow(join(repo.location, 'objects'))).toEqual([objectPath(repo, kept.name)]);
    expect(await readdir(join(repo.location, 'incoming'))).toEqual(['put']);
  });

  test('names that would leave the staging folder are refused', async () => {
    const { repo, run } = await setUp();
    expect(() => repo.objectWriter({ run, writer: '../x' })).toThrow(SkepError);
    expect(() => repo.objectWriter({ run: '..', writer: 'x' })).toThrow(SkepError);
    await expect(repo.discardRun('../objects')).rejects.toBeInstanceOf(SkepError);
    await expect(repo.extract('../../skep.json', '/dev/null')).rejects.toBeInstanceOf(SkepError);
  });
});

describe('several writers', () => {
  test('two in one process that store the same contents keep each once and none half', async () => {
    const { repo, folder, run } = await setUp();
    const contents = Array.from({ length: 40 }, (_, i) => randomBytes(i % 4 === 0 ? 1 << 20 : 1000));
    const paths = await Promise.all(contents.map((bytes, i) => writeTemporary(folder, `f${i}`, bytes)));
    const writers = ['n1', 'n2'].map((writer) => repo.objectWriter({ run, writer }));
    await Promise.all(
      writers.map(async (writer) => {
        await Promise.all(paths.map((path) => writer.putFile(path)));
        await writer.close();
      }),
    );
    const published = await filesBelow(join(repo.location, 'objects'));
    expect(published.sort()).toEqual(contents.map((bytes) => objectPath(repo, sha256(bytes))).sort());
    for (const path of published) expect(path.endsWith(sha256(await readFile(path)))).toBe(true);
    const newBytes = writers.reduce((sum, writer) => sum + writer.totals.newBytes, 0);
    expect(newBytes).toBe(contents.reduce((sum, bytes) => sum + bytes.length, 0));
  });

  test('two processes that store the same contents keep each once', async () => {
    const { repo, folder, run } = await setUp();
    const contents = Array.from({ length: 20 }, (_, i) => randomBytes(i % 5 === 0 ? 1 << 20 : 1000));
    const paths = await Promise.all(contents.map((bytes, i) => writeTemporary(folder, `f${i}`, bytes)));
    const children = ['n1', 'n2'].map((writer) => startWriter(repo, run, writer, paths));
    await Promise.all(children.map((child) => child.waitFor('staged')));
    const totals = await Promise.all(children.map((child) => child.finish()));
    expect(totals[0]!.newObjects + totals[1]!.newObjects).toBe(20);
    const published = await filesBelow(join(repo.location, 'objects'));
    expect(published.sort()).toEqual(contents.map((bytes) => objectPath(repo, sha256(bytes))).sort());
  });

  test('one that is killed leaves no object; discardRun removes the rest and the rerun completes', async () => {
    const { repo, folder, run } = await setUp();
    const bytes = randomBytes(2 << 20);
    const path = await writeTemporary(folder, 'f', bytes);
    const child = startWriter(repo, run, 'n1', [path]);
    await child.waitFor('staged');
    child.process.kill('SIGKILL');
    await once(child.process, 'close');
    expect(existsSync(join(repo.location, 'objects'))).toBe(false);
    expect(await filesBelow(join(repo.location, 'incoming'))).toHaveLength(1);
    await repo.discardRun(run);
    expect(await readdir(join(repo.location, 'incoming'))).toEqual(['put']);
    const writer = repo.objectWriter({ run: nextBackupId(), writer: 'n1' });
    expect((await writer.putFile(path)).isNew).toBe(true);
    await writer.close();
  });
});

test('a writer that is killed later than ten seconds after it staged has published: the rerun moves nothing', async () => {
  const { repo, folder, run } = await setUp();
  const contents = [randomBytes(2 << 20), randomBytes(100)];
  const paths = await Promise.all(contents.map((bytes, i) => writeTemporary(folder, `f${i}`, bytes)));
  const child = startWriter(repo, run, 'n1', paths);
  await child.waitFor('staged');
  const published = () => contents.every((bytes) => existsSync(objectPath(repo, sha256(bytes))));
  await vi.waitFor(() => expect(published()).toBe(true), { timeout: 60_000, interval: 100 });
  child.process.kill('SIGKILL');
  await once(child.process, 'close');
  await repo.discardRun(run);
  const again = repo.objectWriter({ run: nextBackupId(), writer: 'n1' });
  for (const path of paths) await again.putFile(path);
  await again.close();
  expect(again.totals).toMatchObject({ objects: 2, newObjects: 0, newBytes: 0 });
});

describe('a writer that is killed while it publishes', () => {
  test.each([1, 60, 150])('after %i objects leaves only whole ones, which the rerun finds again', async (least) => {
    const { repo, folder, run } = await setUp();
    const paths = await Promise.all(
      Array.from({ length: 400 }, (_, i) => writeTemporary(folder, `f${i}`, randomBytes(500 + i))),
    );
    const child = startWriter(repo, run, 'n1', paths);
    await child.waitFor('staged');
    child.process.stdin?.write('go\n');
    while (existsSync(join(repo.location, 'incoming', run)) && countObjects(repo) < least) await nextTurn();
    child.process.kill('SIGKILL');
    await once(child.process, 'close');
    const published = await filesBelow(join(repo.location, 'objects'));
    expect(published.length).toBeGreaterThanOrEqual(least);
    for (const path of published) expect(path.endsWith(sha256(await readFile(path)))).toBe(true);
    await repo.discardRun(run);
    const again = repo.objectWriter({ run: nextBackupId(), writer: 'n1' });
    for (const path of paths) await again.putFile(path);
    await again.close();
    expect(again.totals.newObjects).toBe(400 - published.length);
    expect(await filesBelow(join(repo.location, 'objects'))).toHaveLength(400);
  });

  function countObjects(repo: Repository): number {
    const folder = join(repo.location, 'objects');
    return existsSync(folder) ? readdirSync(folder, { recursive: true }).filter((name) => name.length > 60).length : 0;
  }
});

describe('a damaged object', () => {
  test('that was cut is replaced by the next run that has its content; the rest of it is kept aside', async () => {
    const { repo, run } = await setUp();
    const bytes = randomBytes(50_000);
    const first = repo.objectWriter({ run, writer: 'n1' });
    const { name } = await first.putBytes(bytes);
    await first.close();
    execFileSync('truncate', ['-s', '40000', objectPath(repo, name)]);
    const second = repo.objectWriter({ run: nextBackupId(), writer: 'n1' });
    expect((await second.putBytes(bytes)).isNew).toBe(true);
    await second.close();
    expect((await readFile(objectPath(repo, name))).equals(bytes)).toBe(true);
    expect(await filesBelow(join(repo.location, 'damaged'))).toHaveLength(1);
  });

  test.each([1000, 2 << 20])('of %i bytes with a flipped bit is never given out', async (size) => {
    const { repo, folder, run } = await setUp();
    const writer = repo.objectWriter({ run, writer: 'n1' });
    const bytes = randomBytes(size);
    const { name } = await writer.putBytes(bytes);
    await writer.close();
    bytes[size >> 1]! ^= 4;
    execFileSync('dd', [`of=${objectPath(repo, name)}`, 'conv=notrunc', 'status=none'], { input: bytes });
    const out = await writeTemporary(folder, 'out', 'as before');
    await expect(repo.extract(name, out)).rejects.toMatchObject({ code: 'object-damaged' });
    expect(await readFile(out, 'utf8')).toBe('as before');
    expect((await readdir(folder)).sort()).toEqual(['out', 'repo']);
    const reading = repo.readObject(name).then((stream) => collect(stream));
    await expect(reading).rejects.toMatchObject({ code: 'object-damaged' });
  });

  test('that is gone is object-missing', async () => {
    const { repo, folder } = await setUp();
    const name = sha256(Buffer.from('never stored'));
    await expect(repo.extract(name, join(folder, 'out'))).rejects.toMatchObject({ code: 'object-missing' });
    await expect(repo.readObject(name)).rejects.toMatchObject({ code: 'object-missing' });
  });
});

interface WriterChild {
  process: ChildProcess;
  waitFor(line: string): Promise<void>;
  finish(): Promise<{ newObjects: number }>;
}

function startWriter(repo: Repository, run: string, writer: string, paths: string[]): WriterChild {
  const script = join(import.meta.dirname, 'support/writer-process.ts');
  const child = spawn(process.execPath, [script, repo.location, run, writer, ...paths], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  return {
    process: child,
    async waitFor(line) {
      while (!output.includes(`${line}\n`)) {
        if (child.exitCode !== null) throw new Error(`writer ended: ${output}`);
        await once(child.stdout, 'data');
      }
    },
    async finish() {
      child.stdin.write('go\n');
      await once(child, 'close');
      return JSON.parse(output.trim().split('\n').at(-1) as string) as { newObjects: number };
    },
  };
}
