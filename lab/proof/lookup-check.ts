import type { GremlinClient } from '../load/gremlin-client.ts';
import type { Value } from '../ledger/model.ts';
import { lookUp, type ScannedVertex } from './graph-reader.ts';
import type { History } from './history.ts';

/** A value by which the composite index gives other vertices than the scan shows. */
export interface LookupFinding {
  txn: number;
  text: string;
}

/** Looks up every value that was ever written under a composite-indexed key and compares with the scanned vertices. */
export async function checkLookups(
  gremlin: GremlinClient,
  history: History,
  vertices: readonly ScannedVertex[],
): Promise<LookupFinding[]> {
  const findings: LookupFinding[] = [];
  for (const [key, values] of history.indexed) {
    const holders = holdersOf(key, vertices);
    const entries = [...values];
    const found = await lookUp(
      gremlin,
      key,
      entries.map(([value]) => value),
    );
    entries.forEach(([value, txn], i) => {
      const text = disagreement(key, value, found[i] ?? [], holders.get(value) ?? []);
      if (text !== undefined) findings.push({ txn, text });
    });
  }
  return findings;
}

/** What is wrong with the ids that a lookup gave, in words; undefined when they are those of the scan. */
export function disagreement(
  key: string,
  value: Value,
  found: readonly string[],
  scanned: readonly string[],
): string | undefined {
  if ([...found].sort().join() === [...scanned].sort().join()) return undefined;
  return `${key} = ${value}: lookup gives [${found.join(', ')}], the scan [${scanned.join(', ')}]`;
}

/** Which vertices hold each value of a key, by the scan. */
function holdersOf(key: string, vertices: readonly ScannedVertex[]): Map<Value, string[]> {
  const holders = new Map<Value, string[]>();
  for (const { id, properties } of vertices) {
    for (const [name, value] of properties) {
      if (name !== key) continue;
      const ids = holders.get(value);
      if (ids) ids.push(id);
      else holders.set(value, [id]);
    }
  }
  return holders;
}
