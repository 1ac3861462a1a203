import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Check, type CheckResult, fail, pass, warn } from './check.ts';
import { onCassandra } from './each-node.ts';

export const pointInTime: Check = {
  id: 'point-in-time',
  title: 'no restore_point_in_time was left behind',
  needs: 'report',
  async run(ctx) {
    return onCassandra(ctx, async ({ agent, cql, node }) => {
      const rows = await cql.query('SELECT name, value FROM system_views.system_properties');
      const folders = configFolders(new Map(rows.map((r) => [String(r.name), String(r.value ?? '')])));
      const look = await agent.call('look.archiving', { folders }, { signal: ctx.signal });
      return [judgeArchiving(node.name, look, folders)];
    });
  },
};

/**
 * Where a node may have its commitlog_archiving.properties: Cassandra takes the first on its class path. Told by
 * `system_views.system_properties` of 4.1 and 5.0.
 */
export function configFolders(properties: ReadonlyMap<string, string>): string[] {
  const classPath = (properties.get('java.class.path') ?? '').split(':').filter((p) => !/\.jar$|\*$/.test(p));
  const config = properties.get('cassandra.config') ?? '';
  const beside = config.startsWith('file:') ? [dirname(fileURLToPath(config))] : [];
  const conf = properties.get('CASSANDRA_CONF') ?? '';
  const all = [...classPath, conf, ...beside].filter((p) => p.startsWith('/')).map((p) => p.replace(/(.)\/+$/, '$1'));
  return [...new Set(all)];
}

/** It makes every start of the node drop the writes after that time from the commit log. */
export function judgeArchiving(
  node: string,
  look: { file?: string; properties: Record<string, string> },
  folders: readonly string[],
): CheckResult {
  const { file, properties } = look;
  if (folders.length === 0) {
    return warn('the node does not tell where its configuration is', 'look for commitlog_archiving.properties', node);
  }
  const until = properties.restore_point_in_time ?? '';
  if (file !== undefined && until !== '') {
    const seen = `${file} has restore_point_in_time=${until}: at its next start the node drops every later write that is not flushed yet`;
    return fail(seen, `on ${node}: nodetool flush, then empty that line in ${file}`, { node });
  }
  if (file !== undefined && properties.restore_directories && properties.restore_command) {
    const seen = `${file} replays ${properties.restore_directories} at every start`;
    return warn(seen, `on ${node}: empty restore_command and restore_directories in ${file}`, node);
  }
  return pass(file === undefined ? 'no commitlog_archiving.properties' : `${file} has none`, node);
}
