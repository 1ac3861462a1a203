import type { Finding, FindingHit, FindingKind } from './report.ts';

/** How many backups a hint names. */
const NAMED = 3;

/**
 * What mends a finding: what the cluster can give again, else a copy of the repository; else which backups are lost. For
 * people; from what the report knows, without a look at the cluster.
 */
export function adviceOn(finding: Omit<Finding, 'hint'>): string {
  return [ofKind(finding), otherwise(finding)].filter((text) => text !== undefined).join(' ');
}

function ofKind({ kind, hits }: Omit<Finding, 'hint'>): string {
  switch (kind) {
    case 'object-unreadable':
      return `Look at the storage first (disk, mount, rights), then verify again. ${storedAnew(hits)}`;
    case 'object-missing':
    case 'object-truncated':
    case 'object-oversized':
    case 'hash-mismatch':
      return storedAnew(hits);
    case 'listing-missing':
    case 'listing-damaged':
      return 'Run `skep backup`: it writes this piece of a listing anew if the same files are still there.';
    case 'inventory-missing':
    case 'inventory-damaged':
      return 'No content is lost with it. Run `skep backup`: it writes this piece of an inventory anew if the same files are still there.';
    case 'companion-missing':
    case 'companion-damaged':
      return 'skep restores the backup without it; by hand the `restore.sh` of any backup reads all of them.';
    case 'keys-missing':
    case 'keys-damaged':
      return (
        'Put it back from a copy of the storage (a copy by `skep copy` has keys of its own). Without one nothing is lost to who has the ' +
        'naming key of skep.yaml: keep it safe; if it is the newest generation, `skep keys rotate` writes another.'
      );
    case 'manifest-unsupported':
      return 'Use the skep that wrote it, or a newer one.';
    case 'manifest-forged':
      return 'Do not restore it: find out who can write to the repository.';
    case 'manifest-missing':
    case 'manifest-torn':
      return 'The cluster cannot give it again: it said what the backup consists of. Nothing is pruned until it is back or forgotten.';
    case 'manifest-copy-missing':
    case 'manifest-copy-damaged':
      return 'The manifest itself is whole.';
  }
}

/** Whether a later backup can meet the same content again. */
function storedAnew(hits: readonly FindingHit[]): string {
  const sources = new Set(hits.flatMap(sourcesOf));
  if (sources.size === 0) return 'No later backup meets it again: a commit log segment is of one backup alone.';
  return `Run \`skep backup\`: it stores this anew, and makes these backups whole, if ${[...sources].join(', or ')}.`;
}

function sourcesOf({ store, paths }: FindingHit): string[] {
  switch (store) {
    case 'files':
      return ['TheHive still has the attachment'];
    case 'elasticsearch':
      return ['the index still has that segment'];
    case 'cassandra': {
      // Where the listing cannot be read nothing tells what it is.
      const snapshot = paths.length === 0 || paths.some((path) => path.startsWith('sstables/'));
      return snapshot ? ['the node still has the SSTable (until its next compaction)'] : [];
    }
    default:
      return ['the cluster still has it'];
  }
}

/** What a copy elsewhere brings back, and what is lost where there is none. */
function otherwise({ kind, backups }: Omit<Finding, 'hint'>): string | undefined {
  if (NEEDS_NONE.has(kind) || backups.length === 0) return undefined;
  const ids = backups.slice(0, NAMED).join(' ');
  const more = backups.length > NAMED ? ` and ${backups.length - NAMED} more` : '';
  const back =
    `Otherwise an off-site copy brings it back: \`skep forget ${ids}\`${more}, then, with the copy as ` +
    `\`repository\` in another skep.yaml, \`skep copy ${ids} --to\` this repository.`;
  return HARMLESS.has(kind) ? back : `${back} Without a copy ${ids}${more} cannot be restored whole: forget them.`;
}

/** Nothing of the backup is missing. */
const NEEDS_NONE: ReadonlySet<FindingKind> = new Set([
  'keys-missing',
  'keys-damaged',
  'manifest-unsupported',
  'manifest-copy-missing',
  'manifest-copy-damaged',
]);

/** The backup can be restored as it is. */
const HARMLESS: ReadonlySet<FindingKind> = new Set(['companion-missing', 'companion-damaged']);
