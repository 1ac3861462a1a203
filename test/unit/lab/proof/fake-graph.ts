import type { Op, Value } from '../../../../lab/ledger/model.ts';
import type { ScannedVertex } from '../../../../lab/proof/graph-reader.ts';

interface FakeVertex {
  id: string;
  label: string;
  properties: Map<string, Value | Set<Value>>;
}

/** A graph in memory that carries operations out and can be scanned, written without the ledger's own model. */
export class FakeGraph {
  readonly vertices = new Map<string, FakeVertex>();
  readonly edges = new Map<string, { label: string; out: string; in: string }>();
  #nextId = 4096;

  run(ops: readonly Op[]): void {
    for (const op of ops) this.#step(op);
  }

  /** What a full scan of it gives. `hide` leaves single sides of edges out, as a torn deletion does. */
  scan(hide: (side: 'o' | 'i', eid: string) => boolean = () => false): ScannedVertex[] {
    return [...this.vertices].map(([uid, vertex]) => ({
      id: vertex.id,
      label: vertex.label,
      properties: [...vertex.properties].flatMap(([key, value]) =>
        value instanceof Set ? [...value].map((v): [string, Value] => [key, v]) : [[key, value] as [string, Value]],
      ),
      outEdges: this.#sides('o', uid, hide),
      inEdges: this.#sides('i', uid, hide),
    }));
  }

  vertex(uid: string): FakeVertex {
    const vertex = this.vertices.get(uid);
    if (!vertex) throw new Error(`no vertex ${uid}`);
    return vertex;
  }

  #sides(side: 'o' | 'i', uid: string, hide: (side: 'o' | 'i', eid: string) => boolean): [string, string, string][] {
    return [...this.edges]
      .filter(([eid, edge]) => (side === 'o' ? edge.out : edge.in) === uid && !hide(side, eid))
      .map(([eid, edge]) => [eid, edge.label, this.vertices.get(side === 'o' ? edge.in : edge.out)?.id ?? '0']);
  }

  #step(op: Op): void {
    switch (op[0]) {
      case 'addV': {
        const properties = Object.entries(op[3]).flatMap(([key, value]): [string, Value | Set<Value>][] => {
          if (!Array.isArray(value)) return [[key, value]];
          return value.length > 0 ? [[key, new Set(value)]] : [];
        });
        const vertex = { id: String((this.#nextId += 8)), label: op[2], properties: new Map(properties) };
        vertex.properties.set('uid', op[1]);
        this.vertices.set(op[1], vertex);
        return;
      }
      case 'set':
        this.vertex(op[1]).properties.set(op[2], op[3]);
        return;
      case 'unset':
        this.vertex(op[1]).properties.delete(op[2]);
        return;
      case 'add': {
        const members = this.vertex(op[1]).properties.get(op[2]);
        if (members instanceof Set) members.add(op[3]);
        else this.vertex(op[1]).properties.set(op[2], new Set([op[3]]));
        return;
      }
      case 'take': {
        const members = this.vertex(op[1]).properties.get(op[2]);
        if (members instanceof Set) members.delete(op[3]);
        return;
      }
      case 'addE':
        this.edges.set(op[1], { label: op[2], out: op[3], in: op[4] });
        return;
      case 'delV':
        this.vertices.delete(op[1]);
        for (const [eid, edge] of this.edges) if (edge.out === op[1] || edge.in === op[1]) this.edges.delete(eid);
    }
  }
}
