import { SkepError } from '../errors.ts';
import { type RelayServer, type RepositoryAccess, serveRelay } from '../repository/index.ts';

/** The repository for the nodes that are told to send through this machine, and for no other. */
export class Relay {
  readonly #access: RepositoryAccess;
  readonly #nodes = new Set<string>();

  constructor(access: RepositoryAccess) {
    this.#access = access;
  }

  /** From now on the agents of the node are answered. */
  open(node: string): void {
    this.#nodes.add(node);
  }

  /** See `Start.relay`. Errors: `protocol-error` for a node that was not told to ask. */
  readonly serve = async (node: string): Promise<RelayServer> => {
    if (!this.#nodes.has(node))
      throw new SkepError('protocol-error', `${node} was not told to send through this machine`);
    return serveRelay(this.#access);
  };
}
