import { SkepError } from '../../errors.ts';
import { sealedSize } from './payload.ts';

/** Nonce and tag of an empty payload, which the library puts behind the header. */
const EMPTY_PAYLOAD = 32;
/** A header of a hundred recipients is smaller. */
export const MAX_HEADER = 16 << 10;

/** The header of a new age file, and the file key that only its recipients find in it. */
export async function newHeader(recipients: readonly string[]): Promise<{ header: Buffer; fileKey: Buffer }> {
  if (recipients.length === 0) throw new SkepError('internal', 'sealed for nobody');
  const { Encrypter, recipientOf } = await age();
  const encrypter = new Encrypter();
  let fileKey: Buffer | undefined;
  encrypter.addRecipient({
    wrapFileKey(key) {
      fileKey = Buffer.from(key);
      return [];
    },
  });
  for (const recipient of recipients) encrypter.addRecipient(recipientOf(recipient));
  const file = await encrypter.encrypt(new Uint8Array(0));
  if (fileKey === undefined) throw new SkepError('internal', 'the age library made no file key');
  return { header: Buffer.from(file.subarray(0, -EMPTY_PAYLOAD)), fileKey };
}

/** Length of the header at the beginning of a file; undefined when more bytes are needed. Error: `object-damaged`. */
export function headerLength(bytes: Buffer): number | undefined {
  const last = bytes.indexOf('\n--- ');
  const end = last < 0 ? -1 : bytes.indexOf('\n', last + 1);
  if (end >= 0) return end + 1;
  if (bytes.length > MAX_HEADER) throw new SkepError('object-damaged', 'it is no age file');
  return undefined;
}

/** Whether an age file with this beginning and this size can hold so many plain bytes. */
export function isSealedSize(begin: Buffer, size: number, plain: number): boolean {
  try {
    const header = headerLength(begin);
    return header !== undefined && header + sealedSize(plain) === size;
  } catch {
    return false;
  }
}

/** The file key of a header. Errors: `key-missing`, `key-wrong`, `object-damaged`. */
export async function openHeader(header: Buffer, identities: readonly string[]): Promise<Buffer> {
  if (identities.length === 0) throw new SkepError('key-missing', 'it is sealed and no identity was given');
  const { Decrypter, identityOf } = await age();
  const decrypter = new Decrypter();
  let found = false;
  for (const identity of identities.map(identityOf)) {
    decrypter.addIdentity({
      async unwrapFileKey(stanzas) {
        const fileKey = await identity.unwrapFileKey(stanzas);
        found ||= fileKey !== null;
        return fileKey;
      },
    });
  }
  try {
    return Buffer.from(await decrypter.decryptHeader(header));
  } catch (cause) {
    if (found || !/no identity matched/.test(String(cause))) {
      throw new SkepError('object-damaged', 'its age header cannot be read', { cause });
    }
    throw new SkepError('key-wrong', 'it is sealed to other keys than the identities that were given');
  }
}

/** Loading it takes longer than a short command or a thread's start: who seals nothing does without. */
async function age() {
  const { Decrypter, Encrypter } = await import('age-encryption');
  const { identityOf, recipientOf } = await import('./x25519.ts');
  return { Decrypter, Encrypter, identityOf, recipientOf };
}
