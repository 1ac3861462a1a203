import type { Sink } from '../content/sink.ts';
import { newHeader } from './age-header.ts';
import { PayloadSealer } from './payload.ts';

/** A content in memory as one age file. */
export async function sealBytes(plain: Uint8Array, recipients: readonly string[]): Promise<Buffer> {
  const { header, fileKey } = await newHeader(recipients);
  const sealer = new PayloadSealer(fileKey);
  const body = Buffer.from(sealer.update(plain));
  return Buffer.concat([header, sealer.nonce, body, sealer.final()]);
}

/** Seals what it passes on, as one age file. */
export class SealSink implements Sink {
  readonly #sealer: PayloadSealer;
  readonly #next: Sink;
  #begin: Buffer | undefined;

  constructor(header: Buffer, fileKey: Buffer, next: Sink) {
    this.#sealer = new PayloadSealer(fileKey);
    this.#begin = Buffer.concat([header, this.#sealer.nonce]);
    this.#next = next;
  }

  static async begin(recipients: readonly string[], next: Sink): Promise<SealSink> {
    const { header, fileKey } = await newHeader(recipients);
    return new SealSink(header, fileKey, next);
  }

  async write(chunk: Uint8Array): Promise<void> {
    await this.#start();
    const sealed = this.#sealer.update(chunk);
    if (sealed.length > 0) await this.#next.write(sealed);
  }

  async end(): Promise<void> {
    await this.#start();
    await this.#next.write(this.#sealer.final());
    await this.#next.end();
  }

  abandon(): Promise<void> {
    return this.#next.abandon();
  }

  async #start(): Promise<void> {
    const begin = this.#begin;
    this.#begin = undefined;
    if (begin !== undefined) await this.#next.write(begin);
  }
}
