import type { Finding, FindingHit, FindingKind } from './report.ts';

const PATHS_SHOWN = 100;

/** One node × store of one backup. */
export interface Place {
  backup: string;
  node: string;
  store: string;
}

/** Collects findings: one for each kind and key, with all the places that it hits. */
export class Findings {
  readonly #byKey = new Map<string, Finding>();

  add(finding: { kind: FindingKind; key: string; object?: string; message: string }): Finding {
    const id = `${finding.kind} ${finding.key}`;
    let known = this.#byKey.get(id);
    if (known === undefined) this.#byKey.set(id, (known = { ...finding, backups: [], hits: [] }));
    return known;
  }

  get isEmpty(): boolean {
    return this.#byKey.size === 0;
  }

  /** Findings of objects by the key of the object. */
  ofObjects(): Map<string, Finding[]> {
    const found = new Map<string, Finding[]>();
    for (const finding of this.#byKey.values()) {
      if (!finding.key.startsWith('objects/')) continue;
      found.set(finding.key, [...(found.get(finding.key) ?? []), finding]);
    }
    return found;
  }

  /** Newest backups first; findings by key. */
  all(): Finding[] {
    const findings = [...this.#byKey.values()].sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
    for (const finding of findings) finding.backups.sort().reverse();
    return findings;
  }
}

/** Notes that a finding hits a place, and the path if it is known. */
export function hit(finding: Finding, { backup, node, store }: Place, path?: string): void {
  if (!finding.backups.includes(backup)) finding.backups.push(backup);
  let known: FindingHit | undefined = finding.hits.find(
    (h) => h.backup === backup && h.node === node && h.store === store,
  );
  if (known === undefined) finding.hits.push((known = { backup, node, store, paths: [], pathCount: 0 }));
  if (path === undefined) return;
  known.pathCount++;
  if (known.paths.length < PATHS_SHOWN) known.paths.push(path);
}
