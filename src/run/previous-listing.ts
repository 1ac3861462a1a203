import type { ListingRef, Repository } from '../repository/index.ts';

/** The listing of a node × store in the newest backup that has one. Only a hint: it may be pruned at any time. */
export async function previousListing(
  repository: Repository,
  node: string,
  store: string,
): Promise<ListingRef | undefined> {
  for (const backup of await repository.manifests()) {
    const part = backup.state === 'complete' && backup.manifest.parts.find((p) => p.node === node && p.store === store);
    if (part) return { root: part.root, inventory: part.inventory, files: part.files, bytes: part.bytes };
  }
  return undefined;
}
