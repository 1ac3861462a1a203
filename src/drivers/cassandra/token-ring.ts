/** A part of the ring: tokens after `from` up to and with `to`. */
interface Span {
  from: bigint;
  to: bigint;
}

// Beyond every token of every numeric partitioner.
const END = 1n << 200n;

/** How much of the ring some ranges cover. Ranges are `(from,to]` with decimal tokens, as Cassandra prints them. */
export class RingCover {
  #spans: Span[] = [];

  /** True when every token is covered. */
  get whole(): boolean {
    const [first] = this.#spans;
    return this.#spans.length === 1 && first?.from === -END && first.to === END;
  }

  /** Adds ranges; those that are not numeric are left out. */
  add(ranges: Iterable<string>): void {
    const spans = [...this.#spans];
    for (const text of ranges) {
      const m = /^\((-?\d+),\s*(-?\d+)\]$/.exec(text);
      if (!m) continue;
      const [from, to] = [BigInt(m[1] as string), BigInt(m[2] as string)];
      if (from < to) spans.push({ from, to });
      // Around the end of the ring; from a token to itself is the whole of it.
      else spans.push({ from, to: END }, { from: -END, to });
    }
    this.#spans = merge(spans);
  }
}

function merge(spans: Span[]): Span[] {
  spans.sort((a, b) => (a.from < b.from ? -1 : a.from > b.from ? 1 : 0));
  const out: Span[] = [];
  for (const s of spans) {
    const last = out.at(-1);
    if (last && s.from <= last.to) {
      if (s.to > last.to) last.to = s.to;
    } else out.push({ ...s });
  }
  return out;
}
