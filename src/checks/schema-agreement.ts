import { type Check, type CheckResult, fail, pass } from './check.ts';

export const schemaAgreement: Check = {
  id: 'schema',
  title: 'every node has the same schema',
  needs: 'preflight',
  async run(ctx) {
    const versions = new Map<string, string>();
    // Asked again: between discovery and now a change may have settled.
    for (const [node, cql] of ctx.connections.cql) {
      const row = (await cql.query('SELECT schema_version FROM system.local'))[0];
      versions.set(node, String(row?.schema_version));
    }
    return judgeSchema(versions);
  },
};

export function judgeSchema(versions: ReadonlyMap<string, string>): CheckResult[] {
  const of = new Map<string, string[]>();
  for (const [node, version] of versions) of.set(version, [...(of.get(version) ?? []), node]);
  const seen = [...of].map(([version, nodes]) => `${version} on ${nodes.join(', ')}`).join('; ');
  if (of.size === 1) return [pass(`one version: ${seen}`)];
  const cure = 'wait a minute; if it stays, run `nodetool describecluster`, then restart the node that differs';
  return [fail(`${of.size} versions: ${seen}`, cure, { code: 'topology-mismatch' })];
}
