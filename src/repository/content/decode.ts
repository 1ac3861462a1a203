import { Readable } from 'node:stream';
import { createZstdDecompress } from 'node:zlib';
import { SkepError } from '../../errors.ts';
import { errnoCode } from '../backend/path/fs-error.ts';
import { type Encoding, isCompressed, isSealed } from '../format/names.ts';
import { openSealed } from '../sealing/open.ts';

/**
 * The plain bytes of a stored content whose chunks stay as they are. Errors: `object-damaged`; of sealed ones also
 * `key-missing`, `key-wrong`.
 */
export function decode(
  stored: AsyncIterable<Buffer>,
  encoding: Encoding,
  identities: readonly string[],
): AsyncIterable<Buffer> {
  const packed = isSealed(encoding) ? openSealed(stored, identities) : stored;
  return isCompressed(encoding) ? decompressed(packed) : packed;
}

async function* decompressed(packed: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const source = Readable.from(packed, { objectMode: false });
  const plain = createZstdDecompress();
  source.on('error', (error) => plain.destroy(error));
  source.pipe(plain);
  try {
    for await (const chunk of plain) yield chunk as Buffer;
  } catch (error) {
    // A cut stream is Z_BUF_ERROR, any other damage ZSTD_error_….
    if (!/^(Z_|ZSTD_)/.test(errnoCode(error) ?? '')) throw error;
    throw new SkepError('object-damaged', 'it cannot be decompressed', { cause: error });
  } finally {
    plain.destroy();
    source.destroy();
  }
}
