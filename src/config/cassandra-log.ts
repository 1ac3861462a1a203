/** Where Cassandra's packages log. */
export const CASSANDRA_LOG = '/var/log/cassandra/system.log';

/** Nobody has said that the usual log is there, unlike one that a configuration names: Cassandra may log elsewhere. */
export function mayBeAbsent({ file, why }: { file: string; why: string }): boolean {
  return file === CASSANDRA_LOG && why === 'ENOENT';
}
