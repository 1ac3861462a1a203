import { existsSync } from 'node:fs';
import { mkdir, rm, utimes, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { handlers } from '../../../src/agent/handlers.ts';
import { Session } from '../../../src/agent/session.ts';
import type { Topology } from '../../../src/discovery/topology.ts';
import type { SkepEvent } from '../../../src/index.ts';
import { initRepository, newBackupId, type Repository } from '../../../src/repository/index.ts';
import type { Connections } from '../../../src/run/connections.ts';
import { runOfTag, sweepNodes } from '../../../src/run/sweep.ts';
import { temporaryFolder } from '../support/folder.ts';

test('only tags of backups name a run: those kept for undo and those of others are never swept', () => {
  expect(runOfTag('skep-20261123T025808Z-dd6ba1ad833c-1')).toBe('20261123T025808Z-dd6ba1ad833c');
  expect(runOfTag('skep-undo-20261123T025808Z-dd6ba1ad833c')).toBeUndefined();
  expect(runOfTag('before-upgrade')).toBeUndefined();
  expect(runOfTag('skep-20261123T025808Z-dd6ba1ad833c')).toBeUndefined();
});

const NODES = ['n1', 'n2'];
const SECOND = 1000;
const MINUTE = 60 * SECOND;

/** Two nodes in a folder each, attachments beside them; nodetool clears snapshots, all else is done by the agent's own handlers. */
class Scene {
  readonly repository: Repository;
  readonly #root: string;
  readonly #warnings: string[] = [];

  private constructor(repository: Repository, root: string) {
    this.repository = repository;
    this.#root = root;
  }

  static async make(): Promise<Scene> {
    const root = await temporaryFolder();
    const names = { clusterName: 'prod', clusterId: 'c1' };
    const scene = new Scene(await initRepository(join(root, 'repository'), names), root);
    for (const node of NODES) await mkdir(join(root, node, 'commitlog'), { recursive: true });
    await mkdir(join(root, 'files'));
    return scene;
  }

  /** A run that has a snapshot on both nodes, and pins there and of attachments that were touched so long ago. */
  async run(o: { idleMs: number; pinned?: readonly string[] }): Promise<string> {
    const run = newBackupId();
    const pinned = (o.pinned ?? NODES).map((node) => join(this.#root, node, 'skep-pins', run));
    for (const folder of [...pinned, join(this.#root, 'files', '.skep-pins', run)]) {
      await mkdir(folder, { recursive: true });
      await writeFile(join(folder, 'CommitLog-7-1.log'), 'pinned');
      const then = new Date(Date.now() - o.idleMs);
      await utimes(folder, then, then);
    }
    for (const node of NODES) await mkdir(this.#snapshot(node, `skep-${run}-1`), { recursive: true });
    return run;
  }

  /** Puts something among its pins that is none. */
  async blockPins(run: string): Promise<void> {
    await mkdir(join(this.#root, 'n1', 'skep-pins', run, 'folder'));
  }

  /** Makes it a run of this repository. */
  async log(run: string): Promise<void> {
    const log = this.repository.runLog(run);
    log.write({ type: 'run-started' });
    await log.flush();
  }

  /** What a backup does before it captures anything; gives what it has told. */
  async sweep(): Promise<string[]> {
    const owner = { run: newBackupId(), host: hostname(), pid: process.pid };
    const lease = await this.repository.acquireLease('write', owner, { staging: true });
    const topology = {
      keyspace: 'thehive',
      nodes: NODES.map((name) => ({
        name,
        dataDirs: [join(this.#root, name, 'data')],
        commitlogDir: join(this.#root, name, 'commitlog'),
      })),
    } as unknown as Topology;
    const emit = (e: SkepEvent) => void (e.type === 'warning' && this.#warnings.push(e.text));
    await sweepNodes(this.#connections(), topology, this.repository, { signal: new AbortController().signal, emit });
    await lease.release();
    return this.#warnings.splice(0);
  }

  /** What there is of a run. */
  async left(run: string): Promise<string[]> {
    const places = [...NODES.map((node) => join(node, 'skep-pins')), join('files', '.skep-pins')];
    const pins = places.filter((place) => existsSync(join(this.#root, place, run)));
    const held = NODES.filter((node) => existsSync(this.#snapshot(node, `skep-${run}-1`)));
    return [...pins, ...held.map((node) => `snapshot ${node}`)];
  }

  #snapshot(node: string, tag: string): string {
    return join(this.#root, node, 'data', 'thehive', 'edgestore-1', 'snapshots', tag);
  }

  #connections(): Connections {
    const agent = (node: string) => {
      const table = handlers(new Session());
      const ctx = { signal: new AbortController().signal, emit: async () => {} };
      const call = async (method: string, p: { argv?: string[] }) => {
        if (method !== 'node.run') return table[method]?.(p, ctx);
        const [, command, , tag = ''] = p.argv ?? [];
        if (command === 'clearsnapshot') await rm(this.#snapshot(node, tag), { recursive: true });
        return { exitCode: 0, stdout: '', stderr: '' };
      };
      const self = { node: { name: node }, call, as: () => self };
      return self;
    };
    return {
      cluster: {
        nodes: NODES.map((name) => ({ name, cassandra: '127.0.0.1' })),
        cassandra: { nodetool: ['nodetool'] },
        files: { location: join(this.#root, 'files'), node: 'n1' },
      },
      agents: new Map(NODES.map((name) => [name, agent(name)])),
    } as unknown as Connections;
  }
}

const ALL = ['n1/skep-pins', 'n2/skep-pins', 'files/.skep-pins', 'snapshot n1', 'snapshot n2'];

describe('a backup finds on the nodes', () => {
  test('a run of its own repository that holds no lease: all of it goes, however lately its agents were killed', async () => {
    const scene = await Scene.make();
    const run = await scene.run({ idleMs: SECOND });
    await scene.log(run);
    expect(await scene.left(run)).toEqual(ALL);
    const told = await scene.sweep();
    expect(await scene.left(run)).toEqual([]);
    expect(told).toHaveLength(ALL.length);
    expect(told).toContainEqual(expect.stringMatching(/^removed pins .*\/n2\/skep-pins\/.* of a dead run on n2$/));
  });

  test('a run of another repository that touches its pins: nothing of it is removed, nowhere', async () => {
    const scene = await Scene.make();
    // Its agent on the other node was killed, or is behind with its pins.
    const run = await scene.run({ idleMs: 20 * SECOND, pinned: ['n2'] });
    expect(await scene.sweep()).toEqual([]);
    expect(await scene.left(run)).toEqual(ALL.slice(1));
  });

  test('a run of another repository that has fallen silent: all of it goes', async () => {
    const scene = await Scene.make();
    const run = await scene.run({ idleMs: 11 * MINUTE });
    await scene.sweep();
    expect(await scene.left(run)).toEqual([]);
  });

  test('a run under a lease: it is alive, whatever its agents do', async () => {
    const scene = await Scene.make();
    const run = await scene.run({ idleMs: 11 * MINUTE });
    await scene.log(run);
    const lease = await scene.repository.acquireLease('write', { run, host: 'elsewhere', pid: 7 });
    expect(await scene.sweep()).toEqual([]);
    expect(await scene.left(run)).toEqual(ALL);
    await lease.release();
  });

  test('pins that it may not remove: it tells so, and goes on', async () => {
    const scene = await Scene.make();
    const run = await scene.run({ idleMs: SECOND });
    await scene.log(run);
    await scene.blockPins(run);
    expect(await scene.sweep()).toContainEqual(expect.stringContaining('cannot remove the pins'));
    expect(await scene.left(run)).toEqual(['n1/skep-pins']);
  });
});
