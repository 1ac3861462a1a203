/** Where the repository of a case is kept, and what a test does there that skep does not. */
import { existsSync, readdirSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import type { Backend } from '../../../../src/repository/backend/backend.ts';
import { PathBackend } from '../../../../src/repository/backend/path/path-backend.ts';
import type { RepositoryAccess } from '../../../../src/repository/index.ts';

export interface Place {
  access: RepositoryAccess;
  backend(): Backend;
  /** Makes leases, staged contents and whatever was begun look as if nobody had touched them for days. */
  age(): void;
  /** What the storage keeps beside the keys and nobody goes on with: bins, uploads, old versions. */
  leftovers(): Promise<string[]>;
}

/** What goes stale, or is cleared, by its age. */
const AGING = ['leases', 'incoming'];
const DAYS = 2;

export function pathPlace(location: string): Place {
  const backend = new PathBackend(location);
  return {
    access: { location },
    backend: () => backend,
    age: () => AGING.forEach((folder) => ageFolder(join(location, folder))),
    leftovers: async () => (await backend.bins.list()).map((id) => `trash/${id}`),
  };
}

/** Sets the times of all that is below a folder, which may be absent, days back. */
export function ageFolder(folder: string): void {
  if (!existsSync(folder)) return;
  const then = Date.now() / 1000 - DAYS * 86_400;
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    utimesSync(join(entry.parentPath, entry.name), then, then);
  }
}
