import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import type { Backend } from '../backend/backend.ts';
import { leaseKey, revocationKey } from '../format/names.ts';
import { tryGet } from '../manifests.ts';
import { isGone } from './owner-process.ts';

/** An owner that was silent for so long is taken for dead, and takes itself for dead. */
export const STALE_MS = 10 * 60_000;

/**
 * write: may publish backups; any number, but not while a restore is under way, and one alone that uses `staging`. read: needs its backups whole. delete:
 * forgets or prunes; one at a time. restore: brings the cluster to a backup; one at a time, no writer beside it, and not
 * over when its owner is silent.
 */
export type LeaseKind = 'write' | 'read' | 'delete' | 'restore';

export interface LeaseOwner {
  run: string;
  host: string;
  pid: number;
}

const leaseSchema = z.object({
  id: z.string(),
  kind: z.enum(['write', 'read', 'delete', 'restore']),
  owner: z.object({ run: z.string(), host: z.string(), pid: z.number().int() }),
  backups: z.array(z.string()).default([]),
  staging: z.boolean().default(false),
  process: z.string().optional(),
  acquiredAt: z.iso.datetime(),
  heartbeatAt: z.iso.datetime(),
});

export interface LeaseInfo {
  id: string;
  kind: LeaseKind;
  owner: LeaseOwner;
  /** Ids of the backups that its owner may publish (write) or needs (read, restore). */
  backups: string[];
  /** Its owner uses the staging repository of Elasticsearch, which is one backup's at a time. */
  staging: boolean;
  /** What `processMark` says of its owner. */
  process?: string | undefined;
  /** ISO time. */
  acquiredAt: string;
  heartbeatAt: string;
  /** Since the last heartbeat, by the clock of the storage where it tells times. */
  silentMs: number;
  /** No heartbeat for longer than it may take, or its owner is known to have ended. */
  stale: boolean;
  /** It was taken away, and its owner may not know yet. */
  revoked: boolean;
  /** False when the file cannot be read: nothing but its id is known, and it is never taken for over by itself. */
  readable: boolean;
}

export function encodeLease(lease: z.input<typeof leaseSchema>): Buffer {
  return Buffer.from(`${JSON.stringify(lease)}\n`);
}

/**
 * All leases, also stale ones. `own` is the id of the caller's own lease: its last heartbeat tells the storage's time;
 * this machine's clock stands in when there is none. So no clock of another machine decides who is silent.
 */
export async function listLeases(
  backend: Backend,
  options: { staleMs?: number; own?: string; now?: number } = {},
): Promise<LeaseInfo[]> {
  const times = new Map<string, number | undefined>();
  for await (const { key, modifiedMs } of backend.list('leases/')) times.set(key, modifiedMs);
  const now = options.now ?? times.get(leaseKey(options.own ?? '')) ?? Date.now();
  const leases: LeaseInfo[] = [];
  for (const [key, modifiedMs] of times) {
    const id = /^leases\/([0-9a-f]{32})\.json$/.exec(key)?.[1];
    if (id === undefined) continue;
    const bytes = await tryGet(backend, key);
    if (bytes === undefined) continue;
    const lease = describe(id, bytes);
    const silentMs = Math.max(0, now - (modifiedMs ?? Date.parse(lease.heartbeatAt)));
    const stale = !lease.readable || silentMs > (options.staleMs ?? STALE_MS) || isGone(lease.process);
    leases.push({ ...lease, silentMs, stale, revoked: times.has(revocationKey(id)) });
  }
  return leases.sort((a, b) => (a.acquiredAt < b.acquiredAt ? -1 : 1));
}

/** What the storage's clock says, in ms since 1970; undefined where it does not tell, or nothing can be written. */
export async function storageTime(backend: Backend): Promise<number | undefined> {
  const key = `leases/now-${randomBytes(8).toString('hex')}`;
  try {
    await backend.put(key, Buffer.from('\n'));
    for await (const found of backend.list('leases/')) if (found.key === key) return found.modifiedMs;
    return undefined;
  } catch {
    // A full disk must not keep anyone from seeing who holds what.
    return undefined;
  } finally {
    await backend.delete(key).catch(() => false);
  }
}

function describe(id: string, bytes: Buffer): Omit<LeaseInfo, 'silentMs' | 'stale' | 'revoked'> {
  const parsed = leaseSchema.safeParse(parse(bytes));
  if (parsed.success) return { ...parsed.data, id, readable: true };
  const never = new Date(0).toISOString();
  const owner = { run: 'unknown', host: 'unknown', pid: 0 };
  return {
    id,
    kind: 'write',
    owner,
    backups: [],
    staging: false,
    acquiredAt: never,
    heartbeatAt: never,
    readable: false,
  };
}

function parse(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch {
    return undefined;
  }
}
