import { connectGraph, type Graph } from '../../src/index.ts';

/** A Gremlin Server by skep's own client, connected anew when the connection was lost: servers are stopped in tests. */
export class GremlinClient {
  readonly #url: string;
  #graph: Graph | undefined;
  #opening: Promise<Graph> | undefined;

  constructor(url: string) {
    this.#url = url;
  }

  /**
   * Evaluates `script` with `bindings` in the server's own transaction scope and gives the strings it returned. Throws
   * `janusgraph-failed`; after a timeout or a lost connection the outcome on the server is unknown.
   */
  async submit(script: string, bindings: Record<string, string>, timeoutMs = 120_000): Promise<string[]> {
    return (await this.#open()).run(script, bindings, timeoutMs);
  }

  close(): void {
    this.#graph?.close();
  }

  async #open(): Promise<Graph> {
    if (this.#graph?.isOpen) return this.#graph;
    this.#opening ??= connectGraph({ url: this.#url }).finally(() => (this.#opening = undefined));
    this.#graph = await this.#opening;
    return this.#graph;
  }
}
