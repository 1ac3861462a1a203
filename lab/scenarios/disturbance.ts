import { randomBytes } from 'node:crypto';
import { chmod, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseDocument } from 'yaml';
import type { Lab } from '../clusters/lab.ts';
import { awaitAgreement, withCql } from '../clusters/cql.ts';
import { replicationOf } from '../clusters/tables.ts';

/** Rows of another keyspace, so large that commit log segments fill up and, once flushed, vanish. */
const ROW_BYTES = 256 * 1024;
const ROW_EVERY_MS = 150;
const FLUSH_EVERY_MS = 3_000;

/** Fills commit log segments and flushes memtables on every node until `stop`, so that segments come and go. */
export async function churn(lab: Lab): Promise<{ stop(): Promise<void> }> {
  // Made before anything else begins: a change of the schema during a cut makes it be taken again.
  await withCql(lab.record, async (client) => {
    const replication = replicationOf(lab.record);
    await client.execute(`CREATE KEYSPACE IF NOT EXISTS lab_churn WITH replication = ${replication}`);
    await client.execute('CREATE TABLE IF NOT EXISTS lab_churn.rows (id int PRIMARY KEY, body blob)');
    await awaitAgreement(client);
  });
  const stopping = new AbortController();
  const { signal } = stopping;
  const pause = (ms: number) => delay(ms, undefined, { signal }).catch(() => undefined);
  const fill = withCql(lab.record, async (client) => {
    for (let i = 0; !signal.aborted; i++) {
      const row = [i % 40, randomBytes(ROW_BYTES)];
      await client.execute('INSERT INTO lab_churn.rows (id, body) VALUES (?, ?)', row, { prepare: true });
      await pause(ROW_EVERY_MS);
    }
  });
  const flush = (async () => {
    while (!signal.aborted) {
      for (const node of lab.nodes) await node.nodetool('flush');
      await pause(FLUSH_EVERY_MS);
    }
  })();
  // What goes wrong is told by `stop`.
  const both = Promise.allSettled([fill, flush]);
  return {
    async stop() {
      stopping.abort();
      await both;
      await Promise.all([fill, flush]);
    },
  };
}

/** A skep.yaml as the lab's own, but nodetool begins a snapshot on `node` so many seconds later than elsewhere. */
export function configWithLateSnapshot(lab: Lab, node: string, seconds: number): Promise<string> {
  const late = `case "$node $*" in "${node} "*" snapshot "*) sleep ${seconds} ;; esac`;
  return configWithNodetool(lab, 'late', `${late}\nexec "$nodetool" "$@"`);
}

/** A skep.yaml as the lab's own, but nodetool returns so many seconds after each snapshot: `T` is so much later. */
export function configWithSlowReturn(lab: Lab, seconds: number): Promise<string> {
  const slow = `case " $* " in *" snapshot "*) sleep ${seconds} ;; esac`;
  return configWithNodetool(lab, 'slow', `"$nodetool" "$@" || exit\n${slow}`);
}

/**
 * A copy of the lab's skep.yaml, or of another one, whose nodetool is a script: `$node` is the node, `$nodetool` its real one,
 * `$@` what it is told.
 */
export async function configWithNodetool(
  lab: Lab,
  name: string,
  script: string,
  of: string = lab.config,
): Promise<string> {
  const wrapper = join(lab.root, `${name}-nodetool`);
  const ssl = lab.record.jmx.tls ? `export HOME="${lab.root}/$node/cassandra"; set -- --ssl "$@"\n` : '';
  const head = `#!/bin/sh\nnode=$1; shift\nnodetool="${lab.root}/$node/cassandra/bin/nodetool"\n${ssl}`;
  await writeFile(wrapper, `${head}${script}\n`);
  await chmod(wrapper, 0o755);
  const doc = parseDocument(await readFile(of, 'utf8'));
  doc.setIn(['clusters', lab.record.name, 'cassandra', 'nodetool'], [wrapper, '{node}']);
  const file = join(lab.root, `skep-${name}.yaml`);
  await writeFile(file, String(doc));
  return file;
}
