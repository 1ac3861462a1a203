import type { LeaseInfo } from './lease-file.ts';

/**
 * What it can harm to take a lease away, in a sentence for who decides it. `binned`: the storage can keep a sweep from
 * deleting (it has bins).
 */
export function harmOf(
  { kind, readable, backups }: Pick<LeaseInfo, 'kind' | 'readable' | 'backups'>,
  binned: boolean,
): string {
  if (!readable) {
    return (
      'who holds it is not known: a backup that only paused may still be published without what a prune removes meanwhile' +
      (binned ? '' : ', a prune may still delete what newer backups need')
    );
  }
  switch (kind) {
    case 'write':
      return backups.length > 0
        ? 'that backup or copy cannot be published any more, and fails; what is stored is not harmed'
        : 'that run fails; if it only paused it may still publish a backup without what a prune removes meanwhile';
    case 'read':
      return 'that verify or copy goes on, and may fail or find damage where a prune removes what it reads; what is stored is not harmed';
    case 'restore':
      return (
        'backups may then be taken of a cluster that is half restored, and the backup that it needs may be forgotten; run ' +
        'that restore to its end instead, if it can be'
      );
    case 'delete':
      return binned
        ? 'a prune puts back what it had set aside, and fails; a forget that only paused may still remove one backup that it was to remove'
        : 'a prune is asked to stop; with `--force` it is not, and if it only paused it still deletes contents that newer ' +
            'backups may need: these are then damaged';
  }
}
