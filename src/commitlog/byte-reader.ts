/** Thrown inside the decoder where the bytes do not follow the schema; callers turn it into a SkepError. */
export class Undecodable extends Error {}

/**
 * A cursor over Cassandra's serialisation. `vint` gives a double where it is exact, which timestamps and lengths of
 * every day are; the rare rest goes through `big`.
 */
export class ByteReader {
  readonly bytes: Buffer;
  readonly end: number;
  pos: number;
  /** The value of the last `vint` that answered -1. */
  big = 0n;

  constructor(bytes: Buffer, start: number, end: number) {
    this.bytes = bytes;
    this.pos = start;
    this.end = end;
  }

  byte(): number {
    if (this.pos >= this.end) throw new Undecodable('ends too early');
    return this.bytes[this.pos++]!;
  }

  unsignedShort(): number {
    return this.byte() * 256 + this.byte();
  }

  skip(length: number): void {
    if (length > this.end - this.pos) throw new Undecodable('ends too early');
    this.pos += length;
  }

  /** Unsigned vint: the leading 1-bits of the first byte count the bytes that follow. -1: it is in `big`. */
  vint(): number {
    const first = this.byte();
    if (first < 0x80) return first;
    const extra = Math.clz32(~first & 0xff) - 24;
    if (extra > this.end - this.pos) throw new Undecodable('ends too early');
    if (extra > 6) return this.#longVint(first, extra);
    let value = first & (0xff >> extra);
    for (let i = 0; i < extra; i++) value = value * 256 + this.bytes[this.pos + i]!;
    this.pos += extra;
    return value;
  }

  skipVint(): void {
    const first = this.byte();
    if (first >= 0x80) this.skip(Math.clz32(~first & 0xff) - 24);
  }

  /** A vint that must be a length or a count. */
  length(): number {
    const value = this.vint();
    if (value < 0) throw new Undecodable('length out of range');
    return value;
  }

  skipWithLength(): void {
    this.skip(this.length());
  }

  #longVint(first: number, extra: number): number {
    let value = BigInt(extra === 7 ? first & 1 : 0);
    for (let i = 0; i < extra; i++) value = (value << 8n) | BigInt(this.bytes[this.pos + i]!);
    this.pos += extra;
    if (value <= BigInt(Number.MAX_SAFE_INTEGER)) return Number(value);
    this.big = value;
    return -1;
  }
}
