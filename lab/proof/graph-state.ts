import { edgeState, type ElementKey, propertyElement, vertexElement } from '../ledger/graph-model.ts';
import type { ScannedVertex } from './graph-reader.ts';

/** A scanned graph in the words of the ledger. */
export interface GraphState {
  elements: Map<ElementKey, string>;
  /** Things that no ledger can name: vertices without uid or with the uid of another, edges without eid, doubles. */
  nameless: string[];
  uidOf: Map<string, string>;
}

export function graphState(vertices: readonly ScannedVertex[]): GraphState {
  const state: GraphState = { elements: new Map(), nameless: [], uidOf: new Map() };
  const named = vertices.filter((vertex) => nameVertex(vertex, state));
  for (const vertex of named) {
    const uid = state.uidOf.get(vertex.id) ?? '';
    for (const [key, value] of vertex.properties) {
      const { element, state: text } = propertyElement(uid, key, value);
      put(state, element, text);
    }
    const end = (id: string): string => state.uidOf.get(id) ?? `?${id}`;
    for (const [eid, label, other] of vertex.outEdges) putEdge(state, 'o', eid, edgeState(label, uid, end(other)));
    for (const [eid, label, other] of vertex.inEdges) putEdge(state, 'i', eid, edgeState(label, end(other), uid));
  }
  return state;
}

function nameVertex(vertex: ScannedVertex, state: GraphState): boolean {
  const uid = vertex.properties.find(([key]) => key === 'uid')?.[1];
  if (typeof uid !== 'string' || state.elements.has(vertexElement(uid))) {
    state.nameless.push(`vertex ${vertex.id} (${vertex.label}) ${uid === undefined ? 'without uid' : `again ${uid}`}`);
    return false;
  }
  state.uidOf.set(vertex.id, uid);
  state.elements.set(vertexElement(uid), vertex.label);
  return true;
}

function putEdge(state: GraphState, side: 'o' | 'i', eid: string | null, text: string): void {
  if (eid === null) state.nameless.push(`edge without eid: ${side} ${text}`);
  else put(state, `${side}|${eid}`, text);
}

function put(state: GraphState, element: ElementKey, text: string): void {
  if (state.elements.has(element)) state.nameless.push(`twice: ${element}`);
  else state.elements.set(element, text);
}
