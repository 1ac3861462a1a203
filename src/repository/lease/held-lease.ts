import { randomBytes } from 'node:crypto';
import { SkepError, toSkepError } from '../../errors.ts';
import type { Backend } from '../backend/backend.ts';
import { leaseKey, revocationKey, stopKey, sweepKey } from '../format/names.ts';
import { readClocks, silence } from './clocks.ts';
import { encodeLease, STALE_MS, type LeaseKind, type LeaseOwner } from './lease-file.ts';
import { processMark } from './owner-process.ts';

const HEARTBEAT_MS = 60_000;

/** A held lease; its heartbeat runs until `release` or `leave`. */
export interface Lease {
  readonly id: string;
  readonly kind: LeaseKind;
  readonly owner: LeaseOwner;
  /** `locked` when it was revoked, removed, or its heartbeat is too old. */
  assertHeld(): Promise<void>;
  /** Ends the heartbeat and removes the lease. */
  release(): Promise<void>;
  /** Ends the heartbeat; the lease stays until the same run, or `skep unlock`, takes it over. */
  leave(): Promise<void>;
}

export interface LeaseTiming {
  heartbeatMs?: number;
  staleMs?: number;
}

/** What a lease is for, beside its kind. */
export interface LeaseUse {
  backups: readonly string[];
  staging: boolean;
}

export class HeldLease implements Lease {
  readonly id = randomBytes(16).toString('hex');
  readonly kind: LeaseKind;
  readonly owner: LeaseOwner;
  readonly #backend: Backend;
  readonly #use: LeaseUse;
  readonly #process = processMark();
  readonly #heartbeatMs: number;
  readonly #staleMs: number;
  readonly #acquiredAt = new Date().toISOString();
  #lastBeat = readClocks();
  #beating: Promise<void> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;

  constructor(backend: Backend, kind: LeaseKind, owner: LeaseOwner, use: LeaseUse, timing: LeaseTiming) {
    this.#backend = backend;
    this.kind = kind;
    this.owner = owner;
    this.#use = use;
    this.#heartbeatMs = timing.heartbeatMs ?? HEARTBEAT_MS;
    this.#staleMs = timing.staleMs ?? STALE_MS;
  }

  async begin(): Promise<void> {
    await this.#backend.put(leaseKey(this.id), this.#encode());
    this.#lastBeat = readClocks();
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
    await this.leave();
    await this.#backend.delete(leaseKey(this.id));
    await this.#backend.delete(revocationKey(this.id));
    // Only its own sweep ends with it: whoever fences a sweep keeps the record for ever.
    if (this.kind !== 'delete') return;
    await this.#backend.delete(sweepKey(this.id));
    await this.#backend.delete(stopKey(this.id));
  }

  async leave(): Promise<void> {
    clearInterval(this.#timer);
    await this.#beating;
  }

  /** A failed heartbeat is tried again at the next; `assertHeld` judges by the last one that succeeded. */
  async #beat(): Promise<void> {
    try {
      await this.#check();
      const beat = readClocks();
      await this.#backend.put(leaseKey(this.id), this.#encode(), { overwrite: true });
      this.#lastBeat = beat;
    } catch (error) {
      if (toSkepError(error).code === 'locked') clearInterval(this.#timer);
    }
  }

  async #check(): Promise<void> {
    // Also before a heartbeat: an owner that was paused for too long must not bring its lease back to life.
    if (silence(this.#lastBeat) > this.#staleMs) throw this.#lost('had no heartbeat for too long');
    const [own, revoked] = await this.#backend.sizes([leaseKey(this.id), revocationKey(this.id)]);
    if (own === undefined || revoked !== undefined) throw this.#lost('was taken away');
  }

  #encode(): Buffer {
    const { id, kind, owner } = this;
    const backups = [...this.#use.backups];
    // Only where it is so: who reads a lease without it knows what that means.
    const staging = this.#use.staging ? { staging: true } : {};
    const process = this.#process === undefined ? {} : { process: this.#process };
    const heartbeatAt = new Date().toISOString();
    return encodeLease({
      id,
      kind,
      owner,
      backups,
      ...staging,
      ...process,
      acquiredAt: this.#acquiredAt,
      heartbeatAt,
    });
  }

  #lost(why: string): SkepError {
    const context = { lease: this.id, owner: this.owner };
    const hint = 'Another run took over: nothing was published; run the command again.';
    return new SkepError('locked', `the ${this.kind} lease of this run ${why}`, { context, hint });
  }
}
