import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';

/** SHA-256 of a file's content, 64 hexadecimal digits. */
export function sha256File(path: string, signal?: AbortSignal): Promise<string> {
  return hashFile(path, 'sha256', signal);
}

/** The hash of a file's content in hexadecimal digits; `algorithm` as `node:crypto` calls it. */
export async function hashFile(path: string, algorithm: string, signal?: AbortSignal): Promise<string> {
  const hash = createHash(algorithm);
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20, ...(signal ? { signal } : {}) })) {
    hash.update(chunk as Buffer);
  }
  return hash.digest('hex');
}
