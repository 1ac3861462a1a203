/** How long transactions took, from the moment they were due: a stall counts for everything that waited behind it. */
export interface LatencyStats {
  count: number;
  failed: number;
  perSecond: number;
  p50Ms: number;
  p99Ms: number;
  maxMs: number;
}

/** A span of time in epoch milliseconds; an open end means everything. Samples belong to the moment they were due. */
export interface Window {
  fromMs?: number;
  toMs?: number;
}

interface Sample {
  dueMs: number;
  ms: number;
  ok: boolean;
}

/** Every sample of a run. `reached` aborts when `limit` transactions have ended. */
export class Latencies {
  readonly #samples: Sample[] = [];
  readonly #limit: number;
  readonly #reached = new AbortController();

  constructor(limit = Infinity) {
    this.#limit = limit;
  }

  get reached(): AbortSignal {
    return this.#reached.signal;
  }

  add(sample: Sample): void {
    this.#samples.push(sample);
    if (this.#samples.length >= this.#limit) this.#reached.abort();
  }

  stats(window: Window = {}): LatencyStats {
    const from = window.fromMs ?? -Infinity;
    const to = window.toMs ?? Infinity;
    const inside = this.#samples.filter((s) => s.dueMs >= from && s.dueMs < to);
    const sorted = inside.map((s) => s.ms).sort((a, b) => a - b);
    const dues = inside.map((s) => s.dueMs);
    const seconds = inside.length > 1 ? (Math.max(...ends(dues)) - Math.min(...ends(dues))) / 1000 : 0;
    return {
      count: inside.length,
      failed: inside.filter((s) => !s.ok).length,
      perSecond: seconds > 0 ? inside.length / seconds : 0,
      p50Ms: quantile(sorted, 0.5),
      p99Ms: quantile(sorted, 0.99),
      maxMs: sorted.at(-1) ?? 0,
    };
  }
}

function quantile(sorted: readonly number[], q: number): number {
  return sorted[Math.max(0, Math.ceil(sorted.length * q) - 1)] ?? 0;
}

/** The smallest and the largest, without spreading a long array into arguments. */
function ends(values: readonly number[]): [number, number] {
  let low = Infinity;
  let high = -Infinity;
  for (const v of values) {
    if (v < low) low = v;
    if (v > high) high = v;
  }
  return [low, high];
}
