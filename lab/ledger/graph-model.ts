import { SkepError } from '../../src/errors.ts';
import { type Op, SET_KEYS, type Value } from './model.ts';

/**
 * The smallest things whose presence can be told apart in a graph, as strings:
 * `v|uid` a vertex (state: its label) · `p|uid|key` a property (its value as JSON) · `m|uid|key|member` a member of a
 * set property · `o|eid` and `i|eid` an edge as its out and as its in vertex hold it (`label|outUid|inUid`): JanusGraph
 * stores both sides, and a torn deletion leaves one of them.
 */
export type ElementKey = string;

/** What an element is after a change; null = not there. */
export type ElementState = string | null;

export function vertexElement(uid: string): ElementKey {
  return `v|${uid}`;
}

export function propertyElement(uid: string, key: string, value: Value): { element: ElementKey; state: string } {
  if (SET_KEYS.has(key)) return { element: `m|${uid}|${key}|${JSON.stringify(value)}`, state: '1' };
  return { element: `p|${uid}|${key}`, state: JSON.stringify(value) };
}

export function edgeState(label: string, outUid: string, inUid: string): string {
  return `${label}|${outUid}|${inUid}`;
}

interface ModelVertex {
  elements: Set<ElementKey>;
  edges: Map<string, { outUid: string; inUid: string }>;
}

/** The graph as a sequence of operations leaves it: enough to tell which elements each transaction changes, and to what. */
export class GraphModel {
  readonly #vertices = new Map<string, ModelVertex>();
  readonly #states = new Map<ElementKey, string>();

  /** Applies one transaction; gives its net effect, without elements that end as they were before it. */
  apply(ops: readonly Op[]): Map<ElementKey, ElementState> {
    const before = new Map<ElementKey, ElementState>();
    const put = (element: ElementKey, state: ElementState): void => {
      if (!before.has(element)) before.set(element, this.#states.get(element) ?? null);
      if (state === null) this.#states.delete(element);
      else this.#states.set(element, state);
    };
    for (const op of ops) this.#applyOne(op, put);
    const effects = new Map<ElementKey, ElementState>();
    for (const [element, old] of before) {
      const now = this.#states.get(element) ?? null;
      if (now !== old) effects.set(element, now);
    }
    return effects;
  }

  #applyOne(op: Op, put: (element: ElementKey, state: ElementState) => void): void {
    switch (op[0]) {
      case 'addV': {
        const [, uid, label, properties] = op;
        const vertex: ModelVertex = { elements: new Set([vertexElement(uid)]), edges: new Map() };
        this.#vertices.set(uid, vertex);
        put(vertexElement(uid), label);
        const all: Record<string, Value | Value[]> = { uid, ...properties };
        for (const [key, values] of Object.entries(all))
          for (const value of Array.isArray(values) ? values : [values]) this.#putProperty(uid, key, value, put);
        return;
      }
      case 'set':
      case 'add':
        return this.#putProperty(op[1], op[2], op[3], put);
      case 'unset':
        return put(`p|${op[1]}|${op[2]}`, null);
      case 'take':
        return put(propertyElement(op[1], op[2], op[3]).element, null);
      case 'addE': {
        const [, eid, label, outUid, inUid] = op;
        for (const uid of [outUid, inUid]) this.#vertex(uid).edges.set(eid, { outUid, inUid });
        for (const side of ['o', 'i']) put(`${side}|${eid}`, edgeState(label, outUid, inUid));
        return;
      }
      case 'delV': {
        const vertex = this.#vertex(op[1]);
        for (const element of vertex.elements) put(element, null);
        for (const [eid, { outUid, inUid }] of vertex.edges) {
          for (const side of ['o', 'i']) put(`${side}|${eid}`, null);
          for (const uid of [outUid, inUid]) this.#vertices.get(uid)?.edges.delete(eid);
        }
        this.#vertices.delete(op[1]);
        return;
      }
    }
  }

  #putProperty(uid: string, key: string, value: Value, put: (e: ElementKey, s: ElementState) => void): void {
    const { element, state } = propertyElement(uid, key, value);
    this.#vertex(uid).elements.add(element);
    put(element, state);
  }

  #vertex(uid: string): ModelVertex {
    const vertex = this.#vertices.get(uid);
    if (!vertex) throw new SkepError('internal', `the ledger touches vertex ${uid}, which is not there`);
    return vertex;
  }
}
