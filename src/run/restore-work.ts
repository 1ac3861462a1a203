import { SkepError } from '../errors.ts';
import type { Emit } from '../events.ts';
import type { ListingRef } from '../protocol/methods.ts';
import type { ManifestPart } from '../repository/index.ts';
import type { Connections } from './connections.ts';
import type { Details } from './details.ts';
import type { Journal } from './journal.ts';

/** What the steps of one restore share. */
export interface RestoreWork {
  c: Connections;
  backup: string;
  parts: ManifestPart[];
  details: Details;
  journal: Journal;
  signal: AbortSignal;
  emit: Emit;
}

/** A part's listing as the agents take it. Error: `manifest-damaged` when the backup has no such part. */
export function listingOf(w: RestoreWork, store: string, node?: string): ListingRef {
  const p = w.parts.find((x) => x.store === store && (node === undefined || x.node === node));
  if (!p) {
    const message = `backup ${w.backup} has no ${store}${node ? ` of ${node}` : ''}`;
    throw new SkepError('manifest-damaged', message, { context: { backup: w.backup } });
  }
  return { root: p.root, inventory: p.inventory, files: p.files, bytes: p.bytes };
}
