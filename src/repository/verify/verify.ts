import { SkepError } from '../../errors.ts';
import type { Backend } from '../backend/backend.ts';
import { throwIfCancelled } from '../../cancel.ts';
import { inventoryEntryOf } from '../format/inventory-entry.ts';
import { ObjectTable } from '../format/object-table.ts';
import { readInventory, readListing } from '../listing/listing.ts';
import { listBackupIds } from '../manifests.ts';
import { holdBackups } from './hold-backups.ts';
import { noteFindings } from './note-findings.ts';
import { checkKeys } from './check-keys.ts';
import { checkObjects } from './check-objects.ts';
import { EarlierNotes } from './earlier-notes.ts';
import { checkStructure, type CheckedPart } from './check-structure.ts';
import { entryId, Findings, hit } from './findings.ts';
import type { Vault } from '../sealing/keyring.ts';
import type { VerifyOptions, VerifyReport } from './report.ts';

/** See `Repository.verify`; `repository` is its id. Throws only when it cannot do its work; damage is in the report. */
export async function verify(vault: Vault, repository: string, options: VerifyOptions): Promise<VerifyReport> {
  const backups = await chooseBackups(vault.backend, options.ids);
  const held = await holdBackups(vault.backend, backups, options.owner);
  try {
    const report = await verifyBackups(vault, repository, backups, options);
    return { ...report, notes: [...(await held.notes()), ...report.notes] };
  } finally {
    await held.release();
  }
}

async function verifyBackups(
  vault: Vault,
  repository: string,
  backups: string[],
  options: VerifyOptions,
): Promise<VerifyReport> {
  const { backend, keyring } = vault;
  const findings = new Findings();
  await checkKeys(vault, repository, backups, findings);
  const objects = new ObjectTable();
  const earlier = await EarlierNotes.of(vault);
  const parts = await checkStructure(vault, backups, objects, { findings, earlier }, options);
  const nothing = { objects: 0, bytes: 0 };
  const seen =
    options.level === 'structure'
      ? { ...nothing, read: nothing }
      : await checkObjects(vault, objects, { findings, earlier }, options);
  const noted = await noteFindings(backend, findings.all());
  const others = options.ids === undefined ? [] : (await listBackupIds(backend)).filter((id) => !backups.includes(id));
  const { takenBack, notes } = await earlier.takeBack(findings.keys(), others, options.signal);
  const damaged = findings.ofEntries();
  if (damaged.size > 0) for (const part of parts) await addHits(vault, part, damaged, options.signal);
  const { level } = options;
  const result = { level, ok: findings.isEmpty, closed: !keyring.opens, backups, ...seen, findings: findings.all() };
  return { ...result, takenBack, notes: [...noted, ...notes] };
}

async function chooseBackups(backend: Backend, ids: readonly string[] | undefined): Promise<string[]> {
  const known = await listBackupIds(backend);
  if (ids === undefined) return known;
  const unknown = ids.find((id) => !known.includes(id));
  if (unknown !== undefined) throw new SkepError('backup-unknown', `there is no backup ${unknown}`);
  return known.filter((id) => ids.includes(id));
}

/** Which paths a damaged object is needed for; from the inventory, without paths, where the listing is damaged too. */
async function addHits(
  vault: Vault,
  { place, part, listed }: CheckedPart,
  damaged: ReturnType<Findings['ofEntries']>,
  signal: AbortSignal | undefined,
): Promise<void> {
  throwIfCancelled(signal);
  if (listed) {
    for await (const entry of readListing(vault, part.root)) {
      if (entry.linkTo !== undefined) continue;
      for (const finding of damaged.get(entryId(inventoryEntryOf(entry))) ?? []) hit(finding, place, entry.path);
    }
    return;
  }
  try {
    for await (const entry of readInventory(vault, part.inventory)) {
      for (const finding of damaged.get(entryId(entry)) ?? []) hit(finding, place);
    }
  } catch (error) {
    // Both are damaged: their own findings name this backup.
    if (!(error instanceof SkepError) || !['object-missing', 'object-damaged'].includes(error.code)) throw error;
  }
}
