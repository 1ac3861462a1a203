import { expect, test } from 'vitest';
import { requireTheHive } from '../../../src/run/services.ts';
import { localCluster } from '../support/cluster.ts';

test('a restore is refused when it is not known where TheHive runs: it could not stop it', () => {
  const { cluster, node } = localCluster();
  expect(() => requireTheHive(cluster)).toThrow(expect.objectContaining({ code: 'config-invalid' }));
  expect(() => requireTheHive({ ...cluster, nodes: [{ ...node, thehive: true }] })).not.toThrow();
});
