import { type Handler, WithBytes } from '../protocol/peer.ts';
import type { RelayServer } from '../repository/index.ts';

/** The repository of this machine as one agent uses it: opened when that first asks. */
export class Relayed {
  readonly #open: () => Promise<RelayServer>;
  #server: Promise<RelayServer> | undefined;

  constructor(open: () => Promise<RelayServer>) {
    this.#open = open;
  }

  /** Answers the method `relay`. */
  readonly handler: Handler = async (request, { bytes }) => {
    const answer = await (await this.#opened()).handle(request, bytes);
    return answer.bytes === undefined ? answer.value : new WithBytes(answer.value, answer.bytes);
  };

  #opened(): Promise<RelayServer> {
    return (this.#server ??= this.#open().catch((e: unknown) => {
      this.#server = undefined;
      throw e;
    }));
  }

  /** Drops what the agent has staged and not published. */
  async end(): Promise<void> {
    const server = await this.#server?.catch(() => undefined);
    await server?.end();
  }
}
