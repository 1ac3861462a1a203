import type { Backend } from '../../../../src/repository/backend/backend.ts';

/** One call of a backend: `put leases/x.json`, `take`, `empty`, … */
export interface Call {
  op: string;
  /** The first key, prefix or id that it is about. */
  key: string;
}

export interface Pause {
  /** Settles when the participant stands before the call. */
  reached: Promise<Call>;
  resume(): void;
}

/** One participant's view of a backend that others use too: it can be stopped before any of its calls. */
export class Participant {
  readonly backend: Backend;
  readonly calls: Call[] = [];
  #pauses: { matches: (call: Call) => boolean; reach: (call: Call) => void; resumed: Promise<void> }[] = [];
  #before: (call: Call) => Promise<void>;

  constructor(target: Backend, before: (call: Call) => Promise<void> = async () => undefined) {
    this.#before = before;
    this.backend = this.#wrap(target, {
      bins: target.bins === undefined ? undefined : this.#wrap(target.bins, {}),
    });
  }

  /** Stops the participant before the next call that matches. */
  pauseBefore(matches: (call: Call) => boolean): Pause {
    let reach!: (call: Call) => void;
    let resume!: () => void;
    const reached = new Promise<Call>((resolve) => (reach = resolve));
    const resumed = new Promise<void>((resolve) => (resume = resolve));
    this.#pauses.push({ matches, reach, resumed });
    return { reached, resume };
  }

  #wrap<T extends object>(target: T, instead: Partial<Record<string, unknown>>): T {
    return new Proxy(target, {
      get: (_, name: string) => {
        if (name in instead) return instead[name];
        const value: unknown = Reflect.get(target, name, target);
        if (typeof value !== 'function' || name === 'openBatch') {
          return typeof value === 'function' ? value.bind(target) : value;
        }
        const method = value as (...args: unknown[]) => unknown;
        if (name === 'list' && method.constructor.name === 'AsyncGeneratorFunction') return this.#list(target, method);
        return async (...args: unknown[]) => {
          await this.#step({ op: name, key: firstKey(args) });
          return method.apply(target, args);
        };
      },
    });
  }

  #list(target: object, method: (...args: unknown[]) => unknown): (prefix: string) => AsyncGenerator {
    const step = (call: Call) => this.#step(call);
    return async function* list(prefix: string) {
      await step({ op: 'list', key: prefix });
      yield* method.call(target, prefix) as AsyncIterable<unknown>;
    };
  }

  async #step(call: Call): Promise<void> {
    this.calls.push(call);
    await this.#before(call);
    const pause = this.#pauses.find(({ matches }) => matches(call));
    if (pause === undefined) return;
    this.#pauses = this.#pauses.filter((p) => p !== pause);
    pause.reach(call);
    await pause.resumed;
  }
}

function firstKey(args: readonly unknown[]): string {
  const [first] = args;
  return Array.isArray(first) ? String(first[0]) : String(first);
}

/** A backend of which some calls do something else. */
export function withCalls<T extends object>(target: T, instead: Partial<T>): T {
  return new Proxy(target, {
    get: (_, name: string) => {
      const value: unknown = Reflect.get(name in instead ? instead : target, name, name in instead ? instead : target);
      return typeof value === 'function' ? value.bind(name in instead ? instead : target) : value;
    },
  });
}
