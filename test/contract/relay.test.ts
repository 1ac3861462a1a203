import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { SkepError } from '../../src/errors.ts';
import { Peer } from '../../src/protocol/peer.ts';
import { Relayed } from '../../src/remote/relayed.ts';
import type { AskRelay } from '../../src/repository/backend/relay/messages.ts';
import type { Backend } from '../../src/repository/backend/backend.ts';
import { PathBackend } from '../../src/repository/backend/path/path-backend.ts';
import { RelayBackend } from '../../src/repository/backend/relay/relay-backend.ts';
import { RelayServer } from '../../src/repository/backend/relay/relay-server.ts';
import { describeBackend } from './backend-contract.ts';

/** A server on one end of a conversation, and what the other end asks it by. */
function converse(server: RelayServer): { ask: AskRelay; end(): Promise<void> } {
  const relayed = new Relayed(async () => server);
  const [there, back] = [new PassThrough(), new PassThrough()];
  const controller = new Peer({
    input: there,
    output: back,
    version: '1',
    handlers: { relay: relayed.handler },
  });
  const agent = new Peer({ input: back, output: there, version: '1' });
  return {
    ask: (request, bytes) => agent.exchange('relay', request, bytes === undefined ? {} : { bytes }),
    async end() {
      agent.close();
      controller.close();
      await controller.closed;
      await relayed.end();
    },
  };
}

describeBackend('relay to a path', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'skep-relay-'));
  const open = () => converse(new RelayServer(new PathBackend(folder), () => true));
  const conversation = open();
  const other = open();
  const another = await RelayBackend.open(other.ask);
  return {
    backend: await RelayBackend.open(conversation.ask),
    another: () => another,
    leftovers: async () => [],
    partsArrive: async () => undefined,
    async dispose() {
      await conversation.end();
      await other.end();
      await rm(folder, { recursive: true });
    },
  };
});

describe('a node whose data are relayed', () => {
  let folder: string;
  let here: PathBackend;
  let server: RelayServer;
  let there: Backend;
  let end: () => Promise<void>;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'skep-relay-'));
    here = new PathBackend(folder);
    server = new RelayServer(here);
    const conversation = converse(server);
    end = conversation.end;
    there = await RelayBackend.open(conversation.ask);
  });
  afterEach(async () => {
    await end();
    await rm(folder, { recursive: true });
  });

  const name = 'ab'.repeat(32);
  const key = `objects/ab/${name}`;

  test('stores a content of many pieces, byte for byte', async () => {
    const bytes = randomBytes(5_000_001);
    const batch = there.openBatch('incoming/run/n1-files/');
    const staged = await batch.stage({ key, size: bytes.length });
    for (let at = 0; at < bytes.length; at += 70_001) await staged.write(bytes.subarray(at, at + 70_001));
    await staged.end();
    batch.add(staged, key, 'fail');
    expect(await batch.flush()).toEqual(new Set());
    await batch.close();
    expect((await readFile(join(folder, key))).equals(bytes)).toBe(true);
    expect((await there.get(key)).equals(bytes)).toBe(true);
  });

  test('may do nothing to what is not its own', async () => {
    await here.put('backups/b/manifest.json', Buffer.from('{}'));
    await here.put('leases/l.json', Buffer.from('{}'));
    const batch = there.openBatch('incoming/run/n1-files/');
    const staged = await batch.stageBytes(Buffer.from('x'));
    const refused = { code: 'protocol-error' };
    const tries: Record<string, () => Promise<unknown>> = {
      'a manifest': () => there.put('backups/c/manifest.json', Buffer.from('{}')),
      'a lease': () => there.put('leases/m.json', Buffer.from('{}')),
      'other bytes': () => there.put('damaged/objects/x', Buffer.from('x'), { overwrite: true }),
      'a log': () => there.append('runs/r.ndjson', Buffer.from('x')),
      'to delete a manifest': () => there.delete('backups/b/manifest.json'),
      'to delete many': () => there.deleteMany(['damaged/x', 'leases/l.json']),
      'to delete all': () => there.deletePrefix('backups/'),
      'to delete what others stage': () => there.deletePrefix('incoming/'),
      'to leave the repository': () => there.get('../secret'),
      'to leave it in the middle': () => there.put('incoming/run/../../x', Buffer.from('x')),
      'to leave it from the root': () => there.get('/etc/passwd'),
      'to stage elsewhere': () => there.openBatch('backups/b/').stageBytes(Buffer.from('x')),
      'to publish a manifest': async () => {
        batch.add(staged, 'backups/c/manifest.json', 'replace');
        await batch.flush();
      },
    };
    for (const [what, attempt] of Object.entries(tries)) await expect(attempt(), what).rejects.toMatchObject(refused);
    expect((await here.get('backups/b/manifest.json')).toString()).toBe('{}');
    await expect(server.handle({ do: 'format-disk' }, undefined)).rejects.toMatchObject(refused);
  });

  test('that goes leaves nothing staged, and is answered no more', async () => {
    const batch = there.openBatch('incoming/run/n1-files/');
    await (await batch.stage()).write(Buffer.alloc(3 << 20));
    expect(await staged()).toHaveLength(1);
    await end();
    expect(await staged()).toEqual([]);
    await expect(server.handle({ do: 'flush', batch: 'incoming/run/n1-files/' }, undefined)).rejects.toMatchObject({
      code: 'cancelled',
    });
  });

  test('hears of a full disk as of any failure of the storage', async () => {
    const batch = there.openBatch('incoming/run/n1-files/');
    here.openBatch = () => {
      throw new SkepError('no-space', 'the disk is full', { context: { missing: 5 } });
    };
    const failure = { code: 'no-space', message: 'the disk is full', context: { missing: 5 } };
    await expect(batch.stageBytes(Buffer.from('x'))).rejects.toMatchObject(failure);
  });

  async function staged(): Promise<string[]> {
    const found: string[] = [];
    for await (const { key: k } of here.list('incoming/')) found.push(k);
    return found;
  }
});
