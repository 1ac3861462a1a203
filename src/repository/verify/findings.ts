import { inventoryKey, type InventoryEntry } from '../format/inventory-entry.ts';
import { adviceOn } from './advice.ts';
import type { EarlierNotes } from './earlier-notes.ts';
import type { Finding, FindingHit } from './report.ts';

const PATHS_SHOWN = 100;

/** One node × store of one backup. */
export interface Place {
  backup: string;
  node: string;
  store: string;
}

/** A finding before it is known what all it hits; `hint` where the place that found it knows better than its kind. */
type Found = Omit<Finding, 'hint'> & { hint?: string };

/** Where a verify keeps what it sees. */
export interface Results {
  findings: Findings;
  earlier: EarlierNotes;
}

/** Collects findings: one for each kind and key, with all the places that it hits. */
export class Findings {
  readonly #byKey = new Map<string, Found>();

  add(finding: Omit<Found, 'backups' | 'hits'>): Found {
    const id = `${finding.kind} ${formId(finding)}`;
    let known = this.#byKey.get(id);
    if (known === undefined) this.#byKey.set(id, (known = { ...finding, backups: [], hits: [] }));
    return known;
  }

  /** Keys that were found to be damaged so far. */
  keys(): Set<string> {
    return new Set([...this.#byKey.values()].map(({ key }) => key));
  }

  get isEmpty(): boolean {
    return this.#byKey.size === 0;
  }

  /** Findings of what inventories name, by `entryId`. */
  ofEntries(): Map<string, Found[]> {
    const found = new Map<string, Found[]>();
    for (const finding of this.#byKey.values()) {
      if (finding.expected === undefined) continue;
      const id = formId(finding);
      found.set(id, [...(found.get(id) ?? []), finding]);
    }
    return found;
  }

  /** Newest backups first; findings by key, each with what mends it. */
  all(): Finding[] {
    const findings = [...this.#byKey.values()].sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
    for (const finding of findings) finding.backups.sort().reverse();
    return findings.map((finding) => ({ ...finding, hint: finding.hint ?? adviceOn(finding) }));
  }
}

/** Tells two forms of one key apart: bytes that were damaged may have been stored again, compressed or sealed anew. */
export function entryId(entry: InventoryEntry): string {
  return formId({ key: inventoryKey(entry), expected: entry.storedSha256 });
}

function formId({ key, expected }: { key: string; expected?: string }): string {
  return expected === undefined ? key : `${key} ${expected}`;
}

/** Notes that a finding hits a place, and the path if it is known. */
export function hit(finding: Found, { backup, node, store }: Place, path?: string): void {
  if (!finding.backups.includes(backup)) finding.backups.push(backup);
  let known: FindingHit | undefined = finding.hits.find(
    (h) => h.backup === backup && h.node === node && h.store === store,
  );
  if (known === undefined) finding.hits.push((known = { backup, node, store, paths: [], pathCount: 0 }));
  if (path === undefined) return;
  known.pathCount++;
  if (known.paths.length < PATHS_SHOWN) known.paths.push(path);
}
