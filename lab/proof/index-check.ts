import type { IndexShapes } from '../load/index-shape.ts';
import type { Document } from './documents.ts';
import type { ScannedVertex } from './graph-reader.ts';

/** Documents without vertex, vertices without document, documents that say something else than the graph. */
export interface IndexFindings {
  ghosts: string[];
  missing: string[];
  stale: string[];
}

/** Fields of the mixed index: key of the graph -> how it is kept. */
export interface IndexedField {
  /** Kept twice: analysed under its name, and whole under `NAME__STRING`. */
  dual: boolean;
  date: boolean;
}

/** The mixed index's fields as its mapping had them before any load. */
export function indexedFields(shape: IndexShapes['global'][number]): Map<string, IndexedField> {
  const properties = (shape.mappings['properties'] ?? {}) as Record<string, { type?: string }>;
  const names = Object.keys(properties).filter((name) => name !== 'all' && !name.endsWith('__STRING'));
  return new Map(
    names.map((name) => [name, { dual: `${name}__STRING` in properties, date: properties[name]?.type === 'date' }]),
  );
}

/** JanusGraph names a document by its vertex's id in base 36. */
export function documentId(vertexId: string): string {
  return BigInt(vertexId).toString(36);
}

export function checkIndex(
  vertices: readonly ScannedVertex[],
  documents: ReadonlyMap<string, readonly Document[]>,
  fields: ReadonlyMap<string, IndexedField>,
): IndexFindings {
  const findings: IndexFindings = { ghosts: [], missing: [], stale: [] };
  const known = new Set<string>();
  for (const vertex of vertices) {
    const id = documentId(vertex.id);
    const expected = expectedFields(vertex, fields);
    if (expected.size === 0) continue;
    known.add(id);
    const found = documents.get(id) ?? [];
    if (found.length === 0) findings.missing.push(`${id}: no entry for vertex ${vertex.id} (${vertex.label})`);
    for (const document of found) {
      const difference = firstDifference(document, expected, fields);
      if (difference !== undefined) findings.stale.push(`${id}: ${difference}`);
    }
    if (found.length > 1) findings.ghosts.push(`${id}: ${found.length} entries for one vertex`);
  }
  for (const id of documents.keys())
    if (!known.has(id)) findings.ghosts.push(`${id}: no vertex ${Number.parseInt(id, 36)}`);
  return findings;
}

/** Field name -> sorted values, as the index should have them. */
function expectedFields(vertex: ScannedVertex, fields: ReadonlyMap<string, IndexedField>): Map<string, unknown[]> {
  const expected = new Map<string, unknown[]>();
  for (const [key, value] of vertex.properties) {
    const field = fields.get(key);
    if (!field) continue;
    for (const name of field.dual ? [key, `${key}__STRING`] : [key]) {
      const values = expected.get(name);
      if (values) values.push(value);
      else expected.set(name, [value]);
    }
  }
  return expected;
}

function firstDifference(
  document: Document,
  expected: ReadonlyMap<string, unknown[]>,
  fields: ReadonlyMap<string, IndexedField>,
): string | undefined {
  for (const name of new Set([...Object.keys(document), ...expected.keys()])) {
    const isDate = fields.get(name)?.date ?? false;
    const indexed = canonical(document[name], isDate);
    const graph = canonical(expected.get(name), false);
    if (indexed !== graph) return `${name} is ${indexed} in the index and ${graph} in the graph`;
  }
  return undefined;
}

/** One text for a value or a set of values, whatever their order; nothing, null and the empty set are the same. */
function canonical(value: unknown, isDate: boolean): string {
  const values = value === undefined || value === null ? [] : Array.isArray(value) ? value : [value];
  return values
    .map((v) => JSON.stringify(isDate && typeof v === 'string' ? Date.parse(v) : v))
    .sort()
    .join(',');
}
