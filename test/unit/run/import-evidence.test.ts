import { expect, test } from 'vitest';
import { CASSANDRA_LOG } from '../../../src/config/cassandra-log.ts';
import type { LogMark, Results } from '../../../src/protocol/methods.ts';
import type { Agent } from '../../../src/remote/agent-client.ts';
import { importedSince, markCassandraLogs } from '../../../src/run/import-evidence.ts';
import { localCluster } from '../support/cluster.ts';

/** What is found against a cut on a node that answers so. */
async function findings(
  o: Partial<Results['look.logs']>,
  then: Partial<Results['look.imports']> = {},
  logs?: string[],
) {
  const { cluster, node } = localCluster();
  const { service } = cluster.cassandra;
  const asked: unknown[] = [];
  const agent: Agent = {
    node,
    call: async (method, params) => {
      asked.push(params);
      const answers = {
        'look.logs': { marks: [], unreadable: [], ...o },
        'look.imports': { lines: [], unseen: [], ...then },
      };
      return answers[method as keyof typeof answers] as never;
    },
    close: async () => {},
    as: () => agent,
  };
  const cassandra = { ...cluster.cassandra, service: { ...service, logs: logs ?? service.logs } };
  const c = { cluster: { ...cluster, cassandra }, agents: new Map([['n1', agent]]) };
  const marked = await markCassandraLogs(c, new AbortController().signal);
  return { found: await importedSince(c, marked), asked };
}

const MARK: LogMark = { file: CASSANDRA_LOG, id: '1:2', size: 3, rolled: [] };

test('the log is where packages of Cassandra have it, unless another is named', async () => {
  const { asked, found } = await findings({ marks: [MARK] });
  expect(asked).toEqual([{ files: [CASSANDRA_LOG] }, { marks: [MARK], keyspace: 'thehive' }]);
  expect(found).toEqual([]);
  expect((await findings({}, {}, ['/logs/{node}.log'])).asked[0]).toEqual({ files: ['/logs/n1.log'] });
});

test('what was put in is a finding, and so is a log that cannot be read to its end', async () => {
  const unseen = [{ file: CASSANDRA_LOG, why: 'EIO' }];
  const { found } = await findings({ marks: [MARK] }, { lines: ['Loading'], unseen });
  expect(found).toEqual([
    { kind: 'imported', node: 'n1', line: 'Loading' },
    { kind: 'imports-unseen', node: 'n1', file: CASSANDRA_LOG, why: 'EIO' },
  ]);
});

test('a log that could not be read when the cut began is a finding, unless it is the usual one and is absent', async () => {
  const absent = { file: CASSANDRA_LOG, why: 'ENOENT' };
  const others = [
    { file: CASSANDRA_LOG, why: 'EACCES' },
    { file: '/logs/system.log', why: 'ENOENT' },
  ];
  const { found } = await findings({ unreadable: [absent, ...others] });
  expect(found).toEqual(others.map((o) => ({ kind: 'imports-unseen', node: 'n1', ...o })));
});
