/** Two repositories of one cluster, on storages that may be faulty, and what was said about them. */
import { createHash } from 'node:crypto';
import type { Backend } from '../../../../../src/repository/backend/backend.ts';
import { initOnBackend, openOnBackend } from '../../../../../src/repository/repository.ts';
import type { GivenKeys } from '../../../../../src/repository/sealing/open-keyring.ts';
import type { Repository } from '../../../../../src/repository/index.ts';
import { FaultyBackend, type Gone, type Traits } from './faulty-backend.ts';
import type { Faults } from './faults.ts';

/** Contents by path, each told by a number: see `contentOf`. */
export type Files = Readonly<Record<string, number>>;

/** What is known of a backup. */
export interface Known {
  files: Files;
  /** said: its run succeeded · unsaid: its run failed · let go: a forget was asked for, whatever came of it. */
  state: 'said' | 'unsaid' | 'let go';
}

export interface Place {
  backend: Backend;
  gone: Gone;
  backups: Map<string, Known>;
}

export interface World {
  /** [0] is backed up to, [1] is copied to. */
  places: readonly [Place, Place];
  traits: Traits;
  keys: GivenKeys;
  faults: Faults;
  /** What the cluster has now. */
  files: Record<string, number>;
  /** Wraps what an operation sees of a storage: for negative controls. */
  sabotage: (backend: Backend) => Backend;
}

const CLUSTER = { clusterName: 'prod', clusterId: 'c-1' };

export async function makeWorld(of: Omit<World, 'places'>, backends: readonly [Backend, Backend]): Promise<World> {
  for (const backend of backends) await initOnBackend(backend, CLUSTER, of.keys);
  const [source, target] = backends;
  const place = (backend: Backend): Place => ({ backend, gone: new Map(), backups: new Map() });
  return { ...of, places: [place(source), place(target)] };
}

/** As an operation sees it, with all that the storage does to it. */
export function open(world: World, at: 0 | 1): Promise<Repository> {
  const { backend, gone } = world.places[at];
  return openOnBackend(world.sabotage(new FaultyBackend(backend, world.faults, world.traits, gone)), world.keys);
}

/** As it is. */
export function openAsItIs(world: World, at: 0 | 1): Promise<Repository> {
  return openOnBackend(world.places[at].backend, world.keys);
}

let runs = 0;

/** Ids that ascend. */
export function nextRun(): string {
  const at = new Date(Date.UTC(2026, 0, 1) + runs++ * 1000).toISOString().replace(/[-:]|\.\d+/g, '');
  return `${at}-${(runs % 0xffffff).toString(16).padStart(12, '0')}`;
}

export function ownerOf(run: string): { run: string; host: string; pid: number } {
  return { run, host: 'h', pid: 1 };
}

const LARGE = 300_000;
const contents = new Map<number, Buffer>();

/** 0 is empty, 1 to 5 are a few bytes, 6 to 8 shrink, 9 and 10 are large, the latter shrinks; any other is a few bytes. */
export function contentOf(n: number): Buffer {
  let content = contents.get(n);
  if (content === undefined) contents.set(n, (content = makeContent(n)));
  return content;
}

function makeContent(n: number): Buffer {
  if (n === 0) return Buffer.alloc(0);
  if (n === 9) {
    const blocks = Array.from({ length: Math.ceil(LARGE / 32) }, (_, i) =>
      createHash('sha256').update(`${i}`).digest(),
    );
    return Buffer.concat(blocks).subarray(0, LARGE);
  }
  if (n === 10) return Buffer.alloc(LARGE, 'it shrinks. ');
  return Buffer.from(n >= 6 && n <= 8 ? `shrinks ${n} `.repeat(150) : `content ${n}`);
}
