import type { SourceFile } from './source-file.ts';

const CHUNK = 1 << 20;

/**
 * The file to its end in chunks of 1 MiB; the next one is being read while the caller uses the present one. A chunk is
 * valid until the next one is asked for.
 */
export async function* readPipelined(file: SourceFile, size: number): AsyncGenerator<Buffer> {
  const length = Math.min(CHUNK, size + 1);
  let [current, spare] = [Buffer.allocUnsafeSlow(length), Buffer.allocUnsafeSlow(length)];
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
  }
}
