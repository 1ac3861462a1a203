import { join } from 'node:path';
import { stringify } from 'yaml';
import { parseCluster } from '../../src/config/load.ts';
import { sourceCommand } from '../../src/remote/agent-client.ts';
import { type CassandraSource, makeSnapshot } from '../data/node.ts';
import type { RowOptions } from '../options.ts';
import { median, round, type Row } from '../row.ts';
import { timedProduct } from '../timed.ts';
import { withFolder } from '../work-folder.ts';
import { initRaw } from './product-runs.ts';

const NODES = 100;
/** Of each node: a few small files, since it is not the copying that is measured. */
const BYTES = 100_000;
/** Milliseconds of CPU time at the controller for each node, and MB of its memory. */
const CPU_MS = 50;
const RSS_MB = 2;

/**
 * A backup of 100 nodes with their real agents, all on this machine, over one of a single node: what the controller, a
 * process of its own, takes for each node more. `ratio` is over 50 ms of CPU time.
 */
export async function* orchestration100(o: RowOptions): AsyncGenerator<Row> {
  const nodes = Math.max(2, Math.round(NODES * o.scale));
  yield await withFolder(async (folder) => {
    const sources = Object.fromEntries(
      Array.from({ length: nodes }, (_, i) => [`n${i + 1}`, makeSnapshot(join(folder, `n${i + 1}`), BYTES)]),
    );
    const many: Orchestrated[] = [];
    const single: Orchestrated[] = [];
    for (let turn = 0; turn < o.turns; turn++) {
      many.push(await orchestrate(folder, `many-${turn}`, sources));
      single.push(await orchestrate(folder, `single-${turn}`, { n1: sources['n1'] as CassandraSource }));
    }
    const more = (key: 'cpu_ms' | 'rss_mb'): number =>
      (median(many.map((r) => r[key])) - median(single.map((r) => r[key]))) / (nodes - 1);
    const [cpu, rss] = [more('cpu_ms'), more('rss_mb')];
    return {
      bench: 'orchestration_100',
      ratio: round(cpu / CPU_MS),
      ours_s: round(median(many.map((r) => r.seconds))),
      peer_s: round(median(single.map((r) => r.seconds))),
      n: o.turns,
      bar: 1,
      cpu_ms_a_node: round(cpu),
      rss_mb_a_node: round(rss),
      rss_bar_mb_a_node: RSS_MB,
      settings: `${nodes} agents on this machine over one; each a process`,
    };
  });
}

interface Orchestrated {
  cpu_ms: number;
  rss_mb: number;
  seconds: number;
}

async function orchestrate(
  folder: string,
  name: string,
  sources: Record<string, CassandraSource>,
): Promise<Orchestrated> {
  const { access, hints } = await initRaw(folder, name);
  const config = {
    version: 1,
    clusters: {
      bench: {
        repository: access.location,
        agent: { command: sourceCommand() },
        nodes: Object.keys(sources).map((node) => ({ name: node, transport: 'local', cassandra: '127.0.0.1' })),
        cassandra: { user: 'nobody', password: { env: 'NONE' } },
        elasticsearch: { urls: ['http://127.0.0.1:9'], staging: { location: '/nowhere', node: 'n1' } },
        files: { location: '/nowhere', node: 'n1' },
        index: { reconcile: 'none' },
      },
    },
  };
  const cluster = parseCluster(stringify(config), { file: 'bench' });
  const ran = await timedProduct<Omit<Orchestrated, 'seconds'>>(
    'orchestrate',
    { cluster, sources },
    { XDG_CACHE_HOME: hints },
  );
  return { ...ran.result, seconds: ran.seconds };
}
