import { describe, expect, test } from 'vitest';
import { readSegment, type Tail } from '../../../src/commitlog/index.ts';
import { readMarker, MARKER_SIZE } from '../../../src/commitlog/marker.ts';
import { PLAIN_HEADER_BYTES } from '../../../src/commitlog/header.ts';
import { codeOf } from './code-of.ts';
import { segmentOf, type Segment } from './fixtures.ts';
import { entry, segment, update } from './handmade.ts';

const A = entry(update(1, 'a', 1_700_000_000_000_001n));
const B = entry(update(1, 'b', 1_700_000_000_000_002n));
const C = entry(update(1, 'c', 1_700_000_000_000_003n));
const D = entry(update(1, 'd', 1_700_000_000_000_004n));

/** The entries, `+` for synced ones and `?` for those behind the last marker. */
function keys({ name, bytes }: Segment, tail: Tail): string {
  let found = '';
  for (const e of readSegment(name, bytes, tail)) {
    // The key follows the entry's size and CRC, a count, the table id and the key's length.
    found += `${e.synced ? '+' : '?'}${String.fromCharCode(e.bytes[e.start + 26]!)}`;
  }
  return found;
}

function markersOf({ bytes }: Segment, id: bigint): number[] {
  const found: number[] = [];
  for (let at = PLAIN_HEADER_BYTES; ;) {
    const marker = readMarker(bytes, at, id);
    if (marker.kind !== 'next') return found;
    found.push(at);
    at = marker.at;
  }
}

describe('a plain segment', () => {
  test('gives its entries section by section, empty sections and no sections alike', () => {
    expect(keys(segment(7n, [[A, B], [C], [], [D]]), 'closed')).toBe('+a+b+c+d');
    expect(keys(segment(7n, []), 'closed')).toBe('');
  });

  test('may end where its last section ends, or less than a marker later', () => {
    const { name, bytes } = segment(7n, [[A, B]], { zeroes: 0 });
    for (const cut of [0, 1, MARKER_SIZE]) {
      expect(keys({ name, bytes: bytes.subarray(0, bytes.length - cut) }, 'closed')).toBe('+a+b');
    }
  });

  test('tells what stands behind the last marker of a live copy, and refuses it in a closed one', () => {
    const s = segment(7n, [[A], [B]], { unsynced: [C, D] });
    expect(keys(s, 'live')).toBe('+a+b?c?d');
    expect(codeOf(() => keys(s, 'closed'))).toBe('segment-damaged');
  });

  test('that is live may have half an entry at its end', () => {
    const s = segment(7n, [[A], [B]], { unsynced: [C, D.subarray(0, D.length - 5)] });
    expect(keys(s, 'live')).toBe('+a+b?c');
  });

  test('that is cut off loses only what is cut, and only where it is live', () => {
    const s = segment(
      7n,
      [
        [A, B],
        [C, D],
      ],
      { zeroes: 0 },
    );
    for (let length = PLAIN_HEADER_BYTES; length < s.bytes.length - MARKER_SIZE; length++) {
      const cut = { name: s.name, bytes: s.bytes.subarray(0, length) };
      expect('+a+b+c+d'.startsWith(keys(cut, 'live').replaceAll('?', '+'))).toBe(true);
      if (length > 28)
        expect(['segment-damaged', '+a+b']).toContain(codeOf(() => keys(cut, 'closed')) ?? keys(cut, 'closed'));
    }
  });

  test('with a zeroed marker in the middle never ends there in silence', () => {
    const sections = [[A], [B], [C], [D]];
    const count = markersOf(segment(7n, sections), 7n).length;
    expect(count).toBe(4);
    for (let i = 0; i < count; i++) {
      const s = segment(7n, sections);
      const at = markersOf(s, 7n)[i]!;
      s.bytes.fill(0, at, at + MARKER_SIZE);
      expect(codeOf(() => keys(s, 'closed'))).toBe('segment-damaged');
      // The entries go on behind it up to the next marker, which is where it led.
      expect(keys(s, 'live').replaceAll('?', '+')).toBe('+a+b+c+d');
    }
  });

  test('with a zeroed marker and a lost entry behind it is damaged also where it is live', () => {
    const s = segment(7n, [[A], [B], [C]]);
    const at = markersOf(s, 7n)[1]!;
    s.bytes.fill(0, at, at + MARKER_SIZE + 20);
    expect(codeOf(() => keys(s, 'live'))).toBe('segment-damaged');
  });

  test('whose last marker was caught half written is live', () => {
    for (const half of [0, 4]) {
      const s = segment(7n, [[A], [B]]);
      const at = markersOf(s, 7n)[1]!;
      s.bytes.fill(0, at + half, at + half + 4);
      expect(keys(s, 'live')).toBe('+a?b');
      expect(codeOf(() => keys(s, 'closed'))).toBe('segment-damaged');
    }
  });

  test('whose marker leads backwards or to itself does not go round in circles', () => {
    const s = segment(7n, [[A], [B]]);
    for (const target of [PLAIN_HEADER_BYTES, PLAIN_HEADER_BYTES + 4, 1, -1]) {
      s.bytes.writeInt32BE(target, PLAIN_HEADER_BYTES);
      expect(codeOf(() => keys(s, 'live'))).toBe('segment-damaged');
    }
  });

  test('under the name of another one is damaged', () => {
    const { bytes } = segment(7n, [[A]]);
    expect(codeOf(() => keys({ name: 'CommitLog-7-8.log', bytes }, 'closed'))).toBe('segment-damaged');
  });

  test('of nothing but zeroes, or empty, is a live one that was not begun', () => {
    for (const bytes of [Buffer.alloc(0), Buffer.alloc(512)]) {
      expect(keys({ name: 'CommitLog-7-9.log', bytes }, 'live')).toBe('');
      expect(codeOf(() => keys({ name: 'CommitLog-7-9.log', bytes }, 'closed'))).toBe('segment-damaged');
    }
  });
});

describe('a compressed segment', () => {
  test('that is cut off gives whole sections where it is live, and is damaged where it is closed', () => {
    const { name, bytes } = segmentOf('4.1.10', 'LZ4Compressor');
    const all = [...readSegment(name, bytes, 'closed')].map((e) => e.position);
    const lengths = new Set<number>();
    for (let cut = 1; cut < bytes.length - 100; cut += 37) {
      const part = bytes.subarray(0, bytes.length - cut);
      const live = [...readSegment(name, part, 'live')].map((e) => e.position);
      expect(all.slice(0, live.length)).toEqual(live);
      lengths.add(live.length);
      const code = codeOf(() => [...readSegment(name, part, 'closed')]);
      expect(code).toBe('segment-damaged');
    }
    expect(lengths.size).toBeGreaterThan(5);
  });

  test('whose marker leads past the next one loses nothing in silence', () => {
    for (const way of ['LZ4Compressor', 'SnappyCompressor', 'DeflateCompressor', 'ZstdCompressor'] as const) {
      const { name, bytes } = segmentOf('4.1.10', way);
      const at = bytes.readUInt16BE(12) + 18;
      const bad = Buffer.from(bytes);
      bad.writeInt32BE(bytes.length, at);
      expect(codeOf(() => [...readSegment(name, bad, 'live')])).toBe('segment-damaged');
    }
  });
});
