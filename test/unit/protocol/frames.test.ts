import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { encodeFrame, type Frame, FrameDecoder, MAX_FRAME } from '../../../src/protocol/frames.ts';

/** All frames of a stream that is cut into pieces at the given offsets. */
function decode(stream: Buffer, cuts: readonly number[] = []): Frame[] {
  const decoder = new FrameDecoder();
  const at = [0, ...[...cuts].map((c) => c % (stream.length + 1)).sort((a, b) => a - b), stream.length];
  const out = at.slice(1).flatMap((to, i) => [...decoder.push(stream.subarray(at[i], to))]);
  decoder.end();
  return out;
}

const frame = fc.record({
  message: fc.jsonValue().map((value) => ({ value })),
  bytes: fc.option(fc.uint8Array({ maxLength: 100 }), { nil: undefined }),
});
const protocolError = expect.objectContaining({ code: 'protocol-error' });

describe('frames', () => {
  test('come out as they went in, however the stream is cut into chunks', () => {
    fc.assert(
      fc.property(fc.array(frame, { maxLength: 8 }), fc.array(fc.nat(), { maxLength: 20 }), (frames, cuts) => {
        const stream = Buffer.concat(frames.map(({ message, bytes }) => encodeFrame(message, bytes)));
        const wanted = frames.map(({ message, bytes }) => ({
          message: JSON.parse(JSON.stringify(message)) as unknown,
          ...(bytes === undefined ? {} : { bytes: Buffer.from(bytes) }),
        }));
        expect(decode(stream, cuts)).toEqual(wanted);
      }),
      { numRuns: 200 },
    );
  });

  test('come out byte by byte too', () => {
    const stream = Buffer.concat([encodeFrame({ a: 'ü€😀' }), encodeFrame([])]);
    expect(decode(stream, [...stream.keys()])).toEqual([{ message: { a: 'ü€😀' } }, { message: [] }]);
  });

  test('cut off anywhere inside are an error at the end, and nothing that was not whole comes out', () => {
    const first = encodeFrame({ n: 1 });
    const stream = Buffer.concat([first, encodeFrame({ n: 2 })]);
    for (let end = first.length + 1; end < stream.length; end++) {
      const decoder = new FrameDecoder();
      expect([...decoder.push(stream.subarray(0, end))]).toEqual([{ message: { n: 1 } }]);
      expect(() => decoder.end()).toThrow(protocolError);
    }
  });

  test('of no bytes, and of more bytes than a frame may have, are refused by their header alone', () => {
    for (const size of [0, MAX_FRAME + 1, 0x8000_0000, 0x8000_0001 + MAX_FRAME, 0xffff_ffff]) {
      const header = Buffer.alloc(4);
      header.writeUInt32BE(size);
      expect(() => [...new FrameDecoder().push(header)]).toThrow(protocolError);
    }
  });

  test('with bytes whose message does not fit into them are refused', () => {
    const stream = encodeFrame({ n: 1 }, Buffer.from('bytes'));
    for (const length of [stream.length - 7, 0xffff_ffff]) {
      stream.writeUInt32BE(length, 4);
      expect(() => [...new FrameDecoder().push(stream)]).toThrow(protocolError);
    }
    const short = Buffer.alloc(6);
    short.writeUInt32BE(0x8000_0002);
    expect(() => [...new FrameDecoder().push(short)]).toThrow(protocolError);
  });

  test('that hold no JSON are refused', () => {
    const stream = encodeFrame('x');
    stream[4] = '{'.charCodeAt(0);
    expect(() => [...new FrameDecoder().push(stream)]).toThrow(protocolError);
  });

  test('of random bytes give messages or a typed error, never anything else', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 10 }), (chunks) => {
        const decoder = new FrameDecoder();
        try {
          for (const chunk of chunks) for (const _ of decoder.push(Buffer.from(chunk)));
          decoder.end();
        } catch (e) {
          expect(e).toEqual(protocolError);
        }
      }),
      { numRuns: 500 },
    );
  });

  test('are not made of a message that does not fit', () => {
    expect(() => encodeFrame('x'.repeat(MAX_FRAME))).toThrow(protocolError);
  });
});
