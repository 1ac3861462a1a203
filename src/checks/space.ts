import { statfs } from 'node:fs/promises';
import type { Space } from '../protocol/methods.ts';
import { openRepository } from '../repository/index.ts';
import { type Check, type CheckContext, type CheckResult, fail, pass, warn } from './check.ts';
import { onCassandra, onNodes } from './each-node.ts';
import { bytes } from './format.ts';
import { pinNeed, repositoryNeed, snapshotNeed, stagingNeed } from './space-needs.ts';

/** How many attachments are asked for their size. */
const SAMPLE = 500;

/** Room that is wanted at a place. */
export interface Need {
  what: string;
  bytes: number;
  space: Pick<Space, 'path' | 'freeBytes' | 'device'>;
}

export const space: Check = {
  id: 'space',
  title: 'there is room for snapshots, pins and the backup',
  needs: 'preflight',
  async run(ctx) {
    const sizes = { cassandra: 0, elasticsearch: await indexBytes(ctx), files: 0 };
    const needs = new Map<string, Need[]>();
    const failures = await onCassandra(ctx, async ({ agent, cql, node }) => {
      const rows = await cql.query('SELECT keyspace_name, mebibytes FROM system_views.disk_usage');
      const own = rows.filter((r) => r.keyspace_name === ctx.topology.keyspace);
      const data = own.reduce((n, r) => n + Number(r.mebibytes), 0) * 1024 * 1024;
      sizes.cassandra += data;
      const log = await agent.call('look.commitlog', { commitlogDir: node.commitlogDir });
      const facts = await agent.call('node.facts', { paths: [log.pinFolder, ...node.dataDirs] });
      const [pins, ...folders] = facts.space as [Space, ...Space[]];
      needs.set(node.name, [
        ...spread('snapshots', snapshotNeed(data), folders),
        { what: 'pins of the commit log', bytes: pinNeed(log.bytes), space: pins },
      ]);
      return [];
    });
    const { files, elasticsearch } = ctx.connections.cluster;
    failures.push(
      ...(await onNodes(ctx, { nodes: [files.node], store: 'files' }, async (agent) => {
        const o = { ...ctx.connections.attachments, sample: SAMPLE };
        sizes.files = (await agent.call('look.attachments', o, { signal: ctx.signal })).bytes;
        return [];
      })),
      ...(await onNodes(ctx, { nodes: [elasticsearch.staging.node], store: 'elasticsearch' }, async (agent, node) => {
        const { space: at } = await agent.call('node.facts', { paths: [elasticsearch.staging.location] });
        const need = { what: 'staging', bytes: stagingNeed(sizes.elasticsearch), space: at[0] as Space };
        needs.set(node, [...(needs.get(node) ?? []), need]);
        return [];
      })),
    );
    const { nodes } = ctx.connections.cluster;
    const onEach = nodes.flatMap(({ name }) => judgeNeeds(needs.get(name) ?? [], name));
    return [...failures, ...onEach, ...(await repositoryRoom(ctx, sizes))];
  },
};

/** Size of the primaries of TheHive's indices. */
async function indexBytes(ctx: CheckContext): Promise<number> {
  const { search, cluster } = ctx.connections;
  const names = [cluster.elasticsearch.index, cluster.elasticsearch.audits].map(encodeURIComponent).join(',');
  const stats = await search.request<{ _all: { primaries: { store?: { size_in_bytes: number } } } }>(
    'GET',
    `/${names}/_stats/store`,
    { query: { ignore_unavailable: true, expand_wildcards: 'open,hidden' } },
  );
  return stats._all.primaries.store?.size_in_bytes ?? 0;
}

async function repositoryRoom(
  ctx: CheckContext,
  sizes: { cassandra: number; elasticsearch: number; files: number },
): Promise<CheckResult[]> {
  const { access } = ctx.connections;
  // An object storage does not tell its space.
  if (access.s3 !== undefined) return [];
  // Without a repository there is no room to judge: its own check tells why.
  const backups = await openRepository(access).then(
    (r) => r.manifests(),
    () => undefined,
  );
  if (!backups) return [];
  const fs = await statfs(access.location);
  const first = !backups.some((b) => b.state === 'complete');
  const all = sizes.cassandra + sizes.elasticsearch + sizes.files;
  const what = first ? 'a first backup' : 'what is new since the last backup';
  const at = { path: access.location, freeBytes: fs.bavail * fs.bsize, device: 0 };
  return judgeNeeds([{ what, bytes: repositoryNeed(all, first), space: at }]);
}

/** A need that several folders share: each device gets its part. */
function spread(what: string, need: number, folders: readonly Space[]): Need[] {
  return folders.map((s) => ({ what, bytes: Math.ceil(need / folders.length), space: s }));
}

/** Needs on the same device are added up; below them it fails, below twice of them it warns. */
export function judgeNeeds(needs: readonly Need[], node?: string): CheckResult[] {
  const devices = new Map<number, Need[]>();
  for (const n of needs) devices.set(n.space.device, [...(devices.get(n.space.device) ?? []), n]);
  return [...devices.values()].map((list) => {
    const { path, freeBytes } = (list[0] as Need).space;
    const total = list.reduce((n, x) => n + x.bytes, 0);
    const parts = list.map((n) => `${bytes(n.bytes)} for ${n.what}`).join(', ');
    const seen = `${bytes(freeBytes)} free at ${path}, wanted ${parts}`;
    const cure = `free space at ${path}${node === undefined ? '' : ` on ${node}`}`;
    if (freeBytes < total) return fail(seen, cure, { code: 'no-space', ...(node === undefined ? {} : { node }) });
    return freeBytes < 2 * total ? warn(seen, cure, node) : pass(seen, node);
  });
}
