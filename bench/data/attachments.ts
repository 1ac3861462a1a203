import { hash, randomFillSync } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Files as TheHive keeps attachments: `attachment/<SHA-256>` below `location`, random content, each with its own size.
 * Returns the sum of the sizes.
 */
export function makeAttachments(location: string, sizes: Iterable<number>): number {
  const folder = join(location, 'attachment');
  mkdirSync(folder, { recursive: true });
  let bytes = 0;
  let buffer = Buffer.alloc(0);
  for (const size of sizes) {
    if (buffer.length < size) buffer = Buffer.allocUnsafeSlow(size);
    const content = buffer.subarray(0, size);
    randomFillSync(content);
    writeFileSync(join(folder, hash('sha256', content)), content);
    bytes += size;
  }
  return bytes;
}

/** Sizes from 4 KiB to 4 MiB, evenly on a logarithmic scale, until `total` bytes are reached. */
export function* mixedSizes(total: number): Generator<number> {
  for (let sum = 0, n = 0; sum < total; n++) {
    const size = Math.round(4096 * 1024 ** ((n * 0.618034) % 1));
    sum += size;
    yield size;
  }
}

/** `count` times the same size. */
export function* equalSizes(count: number, size: number): Generator<number> {
  for (let n = 0; n < count; n++) yield size;
}
