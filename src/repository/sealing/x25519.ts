import { createPrivateKey, createPublicKey, diffieHellman, generateKeyPairSync, hkdfSync } from 'node:crypto';
import { createCipheriv, createDecipheriv, type KeyObject } from 'node:crypto';
import { bech32 } from '@scure/base';
import { type Identity, type Recipient, Stanza } from 'age-encryption';
import { SkepError } from '../../errors.ts';

const SPKI = Buffer.from('302a300506032b656e032100', 'hex');
const PKCS8 = Buffer.from('302e020100300506032b656e04220420', 'hex');
const LABEL = 'age-encryption.org/v1/X25519';
const TAG = 16;
const FILE_KEY = 16;
/** The key is used once. */
const NONCE = Buffer.alloc(12);

/**
 * age's X25519 recipient on Node's own curve: the library's takes milliseconds an object, which a hundred thousand small
 * files would feel. Error: `key-wrong` for what is not `age1…`.
 */
export function recipientOf(text: string): Recipient {
  const raw = decode(text, 'age', 'recipient');
  const key = publicKey(raw);
  return {
    wrapFileKey(fileKey) {
      const pair = generateKeyPairSync('x25519');
      const share = rawPublicKey(pair.publicKey);
      const wrapping = wrappingKey(diffieHellman({ privateKey: pair.privateKey, publicKey: key }), share, raw);
      const cipher = createCipheriv('chacha20-poly1305', wrapping, NONCE, { authTagLength: TAG });
      const body = Buffer.concat([cipher.update(fileKey), cipher.final(), cipher.getAuthTag()]);
      return [new Stanza(['X25519', unpadded(share)], body)];
    },
  };
}

/** The other half. Error: `key-wrong` for what is not `AGE-SECRET-KEY-1…`. */
export function identityOf(text: string): Identity {
  const { privateKey, own } = pairOf(text);
  return {
    unwrapFileKey(stanzas) {
      for (const { args, body } of stanzas) {
        const share = args[0] === 'X25519' && args.length === 2 ? Buffer.from(args[1] as string, 'base64') : undefined;
        if (share?.length !== 32 || body.length !== FILE_KEY + TAG) continue;
        const fileKey = unwrap(body, wrappingKey(agree(privateKey, share), share, own));
        if (fileKey !== undefined) return fileKey;
      }
      return null;
    },
  };
}

/** Whom an identity opens for, as `age1…`. Error: `key-wrong` for what is not `AGE-SECRET-KEY-1…`. */
export function ownRecipient(identity: string): string {
  return bech32.encodeFromBytes('age', pairOf(identity).own);
}

function pairOf(identity: string): { privateKey: KeyObject; own: Buffer } {
  const raw = decode(identity.toLowerCase(), 'age-secret-key-', 'identity');
  const privateKey = createPrivateKey({ key: Buffer.concat([PKCS8, raw]), format: 'der', type: 'pkcs8' });
  return { privateKey, own: rawPublicKey(createPublicKey(privateKey)) };
}

function agree(privateKey: KeyObject, share: Buffer): Buffer {
  try {
    return diffieHellman({ privateKey, publicKey: publicKey(share) });
  } catch {
    // A share of low order: damage or malice; no key comes of it.
    return Buffer.alloc(32);
  }
}

function unwrap(body: Uint8Array, key: Buffer): Buffer | undefined {
  const decipher = createDecipheriv('chacha20-poly1305', key, NONCE, { authTagLength: TAG });
  decipher.setAuthTag(body.subarray(FILE_KEY));
  try {
    return Buffer.concat([decipher.update(body.subarray(0, FILE_KEY)), decipher.final()]);
  } catch {
    return undefined;
  }
}

function wrappingKey(shared: Buffer, share: Buffer, recipient: Buffer): Buffer {
  return Buffer.from(hkdfSync('sha256', shared, Buffer.concat([share, recipient]), LABEL, 32));
}

function publicKey(raw: Buffer): KeyObject {
  return createPublicKey({ key: Buffer.concat([SPKI, raw]), format: 'der', type: 'spki' });
}

function rawPublicKey(key: KeyObject): Buffer {
  return key.export({ format: 'der', type: 'spki' }).subarray(SPKI.length);
}

function unpadded(bytes: Buffer): string {
  return bytes.toString('base64').replace(/=+$/, '');
}

/** Never with the text in the error: it may be a secret. */
function decode(text: string, prefix: string, what: string): Buffer {
  try {
    const decoded = bech32.decodeToBytes(text);
    if (decoded.prefix === prefix && decoded.bytes.length === 32) return Buffer.from(decoded.bytes);
  } catch {
    // Told below.
  }
  throw new SkepError('key-wrong', `not an age ${what} of the kind X25519`);
}
