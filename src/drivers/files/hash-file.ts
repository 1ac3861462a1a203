import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';

/** SHA-256 of a file's content, 64 hexadecimal digits. */
export function sha256File(path: string, signal?: AbortSignal): Promise<string> {
  return hashFile(path, 'sha256', signal);
}

/** The hash of a file's content in hexadecimal digits; `algorithm` as `node:crypto` calls it. */
export function hashFile(path: string, algorithm: string, signal?: AbortSignal): Promise<string> {
  return hashChunks(createReadStream(path, { highWaterMark: 1 << 20, ...(signal ? { signal } : {}) }), algorithm);
}

/** The same of what comes from anywhere. */
export async function hashChunks(chunks: AsyncIterable<Uint8Array>, algorithm: string): Promise<string> {
  const hash = createHash(algorithm);
  for await (const chunk of chunks) hash.update(chunk);
  return hash.digest('hex');
}
