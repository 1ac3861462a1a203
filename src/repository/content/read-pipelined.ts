import { Buffers } from './buffers.ts';
import type { SourceFile } from './source-file.ts';

/** What is read by one core is hashed and written by others soon: more would have left their caches by then. */
const CHUNK = 128 << 10;

const buffers = new Buffers(CHUNK);

/**
 * The file to its end in chunks of 128 KiB; the next one is being read while the caller uses the present one. A chunk is
 * valid until the next one is asked for.
 */
export async function* readPipelined(file: SourceFile): AsyncGenerator<Buffer> {
  let [current, spare] = [buffers.take(), buffers.take()];
  let position = 0;
  let next = file.read(current, position);
  try {
    for (let n = await next; n > 0; n = await next) {
      position += n;
      next = file.read(spare, position);
      yield current.subarray(0, n);
      [current, spare] = [spare, current];
    }
  } finally {
    // The file must not be closed under a read that is under way.
    await next.catch(() => 0);
    buffers.give(current);
    buffers.give(spare);
  }
}
