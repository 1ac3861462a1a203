/** Values by table id, found by the id's 16 bytes as they lie in the log, without making a string an entry. */
export class TableIndex<V> {
  readonly #slots = new Map<number, { words: Int32Array; value: V }[]>();

  constructor(entries: Iterable<readonly [id: string, value: V]>) {
    for (const [id, value] of entries) {
      const bytes = Buffer.from(id.replaceAll('-', ''), 'hex');
      const words = Int32Array.from({ length: 4 }, (_, i) => bytes.readInt32BE(i * 4));
      const slot = this.#slots.get(words[0]!);
      if (slot === undefined) this.#slots.set(words[0]!, [{ words, value }]);
      else slot.push({ words, value });
    }
  }

  find(bytes: Buffer, at: number): V | undefined {
    const slot = this.#slots.get(bytes.readInt32BE(at));
    if (slot === undefined) return undefined;
    for (const { words, value } of slot) {
      if (
        words[1] === bytes.readInt32BE(at + 4) &&
        words[2] === bytes.readInt32BE(at + 8) &&
        words[3] === bytes.readInt32BE(at + 12)
      ) {
        return value;
      }
    }
    return undefined;
  }
}
