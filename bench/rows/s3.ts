import { readdirSync, statSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { S3Server } from '../../lab/index.ts';
import type { S3Access } from '../../src/s3/access.ts';
import { compare } from '../compare.ts';
import type { RowOptions } from '../options.ts';
import type { Row } from '../row.ts';
import { timedProduct, warm } from '../timed.ts';
import { withFolder } from '../work-folder.ts';
import { makeNode } from './files-vs-cp.ts';
import { backUp, footprint, init } from './product-runs.ts';

/**
 * Requests that a backup has under way at once: of SSTables two parts each of two files; of contents up to a part as many
 * as 64 MiB hold.
 */
const LARGE_AT_ONCE = 4;
const SMALL_AT_ONCE = 16;
const PART = 8 << 20;

const SETTINGS = `skep: unsealed, compression off; peer: PutObject of whole files from memory by the same client, ${LARGE_AT_ONCE} at once above 8 MiB, ${SMALL_AT_ONCE} below; versitygw on the same machine without TLS`;

/** The first backup of 2 GB to an S3 server over plain PUTs of the same files. */
export async function* s3VsRawPut(o: RowOptions): AsyncGenerator<Row> {
  yield await withFolder(async (folder) => {
    const data = join(folder, 'source');
    const source = makeNode(data, o);
    const server = await S3Server.boot({ root: join(folder, 's3-server'), owner: process.pid });
    try {
      return await compareOn(server, { folder, data, source, turns: o.turns });
    } finally {
      await server.down();
    }
  });
}

async function compareOn(
  server: S3Server,
  o: { folder: string; data: string; source: ReturnType<typeof makeNode>; turns: number },
): Promise<Row> {
  const { at } = server;
  const credentials = { accessKeyId: at.accessKey, secretAccessKey: at.secretKey };
  const s3: S3Access = { endpoint: at.endpoint, region: at.region, pathStyle: true, credentials };
  const repository = { access: { location: 's3://ours', s3 }, hints: join(o.folder, 'hints') };
  const files = filesBelow(o.data);
  const puts = [
    { files: files.filter((f) => f.size > PART).map((f) => f.path), atOnce: LARGE_AT_ONCE },
    { files: files.filter((f) => f.size <= PART).map((f) => f.path), atOnce: SMALL_AT_ONCE },
  ];
  return compare({
    bench: 's3_vs_raw_put',
    bar: 1.2,
    turns: o.turns,
    ours: () => backUp(repository, o.source),
    peer: () => timedProduct('put-files', { s3, bucket: 'theirs', puts }),
    between: async () => {
      for (const bucket of ['ours', 'theirs']) {
        await rm(join(server.root, 's3', 'buckets', bucket), { recursive: true, force: true });
        await server.makeBucket(bucket);
      }
      await init(repository);
      await warm(o.data);
    },
    more: (runs) => ({ settings: SETTINGS, caches: 'warm', ...footprint(runs) }),
  });
}

function filesBelow(folder: string): { path: string; size: number }[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((e) => e.isFile())
    .map((e) => join(e.parentPath, e.name))
    .map((path) => ({ path, size: statSync(path).size }));
}
