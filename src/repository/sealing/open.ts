import { SkepError } from '../../errors.ts';
import { headerLength, openHeader } from './age-header.ts';
import { openPayload, PAYLOAD_NONCE } from './payload.ts';

/** The plain bytes of an age file. Errors: `object-damaged`, `key-missing`, `key-wrong`. */
export async function* openSealed(
  stored: AsyncIterable<Buffer>,
  identities: readonly string[],
): AsyncGenerator<Buffer> {
  const chunks = stored[Symbol.asyncIterator]();
  let begin: Buffer = Buffer.alloc(0);
  let length: number | undefined;
  for (;;) {
    length ??= headerLength(begin);
    if (length !== undefined && begin.length >= length + PAYLOAD_NONCE) break;
    const next = await chunks.next();
    if (next.done === true) throw new SkepError('object-damaged', 'it ends in its age header');
    begin = Buffer.concat([begin, next.value]);
  }
  const fileKey = await openHeader(begin.subarray(0, length), identities);
  const nonce = begin.subarray(length, length + PAYLOAD_NONCE);
  yield* openPayload(fileKey, nonce, following(begin.subarray(length + PAYLOAD_NONCE), chunks));
}

/** The plain bytes of an age file in memory. */
export async function openSealedBytes(stored: Buffer, identities: readonly string[]): Promise<Buffer> {
  const plain: Buffer[] = [];
  for await (const chunk of openSealed(only(stored), identities)) plain.push(chunk);
  return Buffer.concat(plain);
}

async function* following(first: Buffer, rest: AsyncIterator<Buffer>): AsyncGenerator<Buffer> {
  yield first;
  for (let next = await rest.next(); next.done !== true; next = await rest.next()) yield next.value;
}

async function* only(bytes: Buffer): AsyncGenerator<Buffer> {
  yield bytes;
}
