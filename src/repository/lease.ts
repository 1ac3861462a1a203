import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import { SkepError, toSkepError } from '../errors.ts';
import type { Backend } from './backend/backend.ts';
import { leaseKey, revocationKey } from './format/names.ts';
import { tryGet } from './manifests.ts';

const HEARTBEAT_MS = 60_000;
/** An owner that was silent for so long is taken for dead, and takes itself for dead. */
const STALE_MS = 10 * 60_000;

const leaseSchema = z.object({
  id: z.string(),
  kind: z.enum(['write', 'read', 'delete']),
  owner: z.object({ run: z.string(), host: z.string(), pid: z.number().int() }),
  acquiredAt: z.iso.datetime(),
  heartbeatAt: z.iso.datetime(),
});

export type LeaseKind = 'write' | 'read' | 'delete';

/** A held lease; its heartbeat runs until `release`. */
export interface Lease {
  readonly id: string;
  readonly kind: LeaseKind;
  readonly owner: { run: string; host: string; pid: number };
  /** `locked` when it was revoked, removed, or its heartbeat is too old. */
  assertHeld(): Promise<void>;
  /** Ends the heartbeat and removes the lease. */
  release(): Promise<void>;
}

export interface LeaseInfo {
  id: string;
  kind: LeaseKind;
  owner: Lease['owner'];
  /** ISO time. */
  acquiredAt: string;
  heartbeatAt: string;
  /** No heartbeat for longer than it may take. */
  stale: boolean;
}

export interface LeaseTiming {
  heartbeatMs?: number;
  staleMs?: number;
}

export async function acquireLease(
  backend: Backend,
  kind: LeaseKind,
  owner: Lease['owner'],
  timing: LeaseTiming = {},
): Promise<Lease> {
  const lease = new HeldLease(backend, kind, owner, timing);
  await lease.begin();
  return lease;
}

/** All leases, also stale ones; one that cannot be read is reported as stale, never hidden. */
export async function listLeases(backend: Backend, staleMs: number = STALE_MS): Promise<LeaseInfo[]> {
  const leases: LeaseInfo[] = [];
  for await (const { key } of backend.list('leases/')) {
    const id = /^leases\/([0-9a-f]{32})\.json$/.exec(key)?.[1];
    if (id === undefined) continue;
    const bytes = await tryGet(backend, key);
    if (bytes !== undefined) leases.push(describe(id, bytes, staleMs));
  }
  return leases;
}

class HeldLease implements Lease {
  readonly id = randomBytes(16).toString('hex');
  readonly kind: LeaseKind;
  readonly owner: Lease['owner'];
  readonly #backend: Backend;
  readonly #heartbeatMs: number;
  readonly #staleMs: number;
  readonly #acquiredAt = new Date().toISOString();
  /** By the monotonic clock: setting the wall clock must not keep a lease alive. */
  #lastBeat = performance.now();
  #beating: Promise<void> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;

  constructor(backend: Backend, kind: LeaseKind, owner: Lease['owner'], timing: LeaseTiming) {
    this.#backend = backend;
    this.kind = kind;
    this.owner = owner;
    this.#heartbeatMs = timing.heartbeatMs ?? HEARTBEAT_MS;
    this.#staleMs = timing.staleMs ?? STALE_MS;
  }

  async begin(): Promise<void> {
    await this.#backend.put(leaseKey(this.id), this.#encode());
    this.#lastBeat = performance.now();
    this.#timer = setInterval(() => {
      this.#beating = this.#beating.then(() => this.#beat());
    }, this.#heartbeatMs);
    this.#timer.unref();
  }

  async assertHeld(): Promise<void> {
    await this.#beating;
    await this.#check();
  }

  async release(): Promise<void> {
    clearInterval(this.#timer);
    await this.#beating;
    await this.#backend.delete(leaseKey(this.id));
    await this.#backend.delete(revocationKey(this.id));
  }

  /** A failed heartbeat is tried again at the next; `assertHeld` judges by the last one that succeeded. */
  async #beat(): Promise<void> {
    try {
      await this.#check();
      const beat = performance.now();
      await this.#backend.put(leaseKey(this.id), this.#encode(), { overwrite: true });
      this.#lastBeat = beat;
    } catch (error) {
      if (toSkepError(error).code === 'locked') clearInterval(this.#timer);
    }
  }

  async #check(): Promise<void> {
    // Also before a heartbeat: an owner that was paused for too long must not bring its lease back to life.
    if (performance.now() - this.#lastBeat > this.#staleMs) throw this.#lost('had no heartbeat for too long');
    const [own, revoked] = await this.#backend.sizes([leaseKey(this.id), revocationKey(this.id)]);
    if (own === undefined || revoked !== undefined) throw this.#lost('was taken away');
  }

  #encode(): Buffer {
    const { id, kind, owner } = this;
    const lease = { id, kind, owner, acquiredAt: this.#acquiredAt, heartbeatAt: new Date().toISOString() };
    return Buffer.from(`${JSON.stringify(lease)}\n`);
  }

  #lost(why: string): SkepError {
    const context = { lease: this.id, owner: this.owner };
    const hint = 'Another run took over: nothing was published; run the command again.';
    return new SkepError('locked', `the ${this.kind} lease of this run ${why}`, { context, hint });
  }
}

function describe(id: string, bytes: Buffer, staleMs: number): LeaseInfo {
  const parsed = leaseSchema.safeParse(parse(bytes));
  if (!parsed.success) {
    const never = new Date(0).toISOString();
    const owner = { run: 'unknown', host: 'unknown', pid: 0 };
    return { id, kind: 'write', owner, acquiredAt: never, heartbeatAt: never, stale: true };
  }
  return { ...parsed.data, id, stale: Date.now() - Date.parse(parsed.data.heartbeatAt) > staleMs };
}

function parse(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch {
    return undefined;
  }
}
