import type { Manifest } from '../format/manifest.ts';

/** What the instructions are made from: nothing of it is sealed in a sealed repository. */
export type PlainManifest = Omit<Manifest, 'leave' | 'details' | 'sealed'>;

/**
 * How a whole cluster comes back from one backup without skep, in Markdown whose commands can be run as they are. Only
 * from the plain part of the manifest, so that a sealed repository tells nothing by it; the rest is read by the commands.
 */
export function restoreInstructions(m: PlainManifest, sealed: boolean): string {
  const sections = [
    look(m, sealed),
    schema(),
    cassandra(m),
    repair(),
    attachments(m),
    elasticsearch(m),
    audits(m),
    thehive(),
    tidy(),
  ].filter((text) => text !== undefined);
  return `${head(m)}${sections.map((text, i) => `\n## ${i + 1}. ${text}`).join('')}`;
}

function head(m: PlainManifest): string {
  const held =
    m.cutMicros === undefined
      ? `Its snapshots were taken within ${m.windowMs} ms: it is no single instant.`
      : `It holds all that was acknowledged before ${cutTime(m.cutMicros)} (T = ${m.cutMicros} µs) and nothing that was begun later.`;
  return `# Backup ${m.id} of ${m.cluster.name}: how it comes back without skep

${held}

| node | store | files | bytes |
|---|---|---|---|
${m.parts.map((p) => `| ${p.node} | ${p.store} | ${p.files} | ${p.bytes} |`).join('\n')}

\`restore.sh\` beside this page works on every copy of the repository in a folder; one in an object storage is copied to a folder first,
with the tools of the storage. It checks the SHA-256 of all that it reads and writes, names what is damaged and then ends with 4.
Every command of it may be repeated: what is there and right stays.
`;
}

function look(m: PlainManifest, sealed: boolean): string {
  const needs = sealed
    ? `\`sha256sum\`, \`jq\`, \`zstd\`, \`age\`, coreutils, and a file with an identity (AGE-SECRET-KEY-1…) of this repository`
    : '`sha256sum`, `jq`, `zstd` and coreutils';
  return `Look

Needed: ${needs}. In a folder of your own:

    repository=/path/to/the/repository
${sealed ? '    identity=/path/to/the/identity\n' : ''}    restore() { sh "$repository/backups/${m.id}/restore.sh" ${sealed ? '-i "$identity" ' : ''}"$@"; }

    restore check ${m.id}
    restore details ${m.id} >details.json
    keyspace=$(jq -r .topology.keyspace details.json)
    jq -r '.topology.nodes[] | [.name, .address, .version, .datacenter, .rack, (.dataDirs | join(",")), .commitlogDir] | @tsv' details.json

Restore into the same nodes, or into as many blank ones with the same datacenters and racks. A blank node gets the tokens of the one
that it stands for before its first start, and while the old cluster may still run, another \`cluster_name\`:

    jq -r '.topology.nodes[] | "\\(.name): num_tokens: \\(.tokens | length), initial_token: \\(.tokens | join(","))"' details.json

Stop TheHive everywhere. Start Cassandra and Elasticsearch. What the cluster holds now is replaced: keep what you want of it
elsewhere first (\`nodetool snapshot\`, a snapshot of the indices, a copy of the attachments).
`;
}

function schema(): string {
  return `Schema, on one node

The keyspace is dropped even if it looks right. With it goes Cassandra's memory of truncations, by which it would skip parts of what
is replayed later. Tables come back under their ids, with a grace period that no tombstone outlives before the repair. First
\`nodetool replaybatchlog\` on each node, until \`SELECT count(*) FROM system.batches\` gives 0.

    jq -r '"DROP KEYSPACE IF EXISTS \\(.topology.keyspace);", (.schema.statements[].cql
      | gsub("gc_grace_seconds = [0-9]+"; "gc_grace_seconds = 315360000") | sub(";?\\\\s*$"; ";"))' details.json >schema.cql
    cqlsh -f schema.cql

Permissions went with the keyspace; roles must be there:

    jq -r '.schema.grants[]? | .role as $role | .permissions[] as $permission | (.resource / "/") as [$kind, $keyspace, $within]
      | (if $kind != "data" then empty elif $within == null then "KEYSPACE \\"\\($keyspace)\\""
        elif $within == "*" then "ALL TABLES IN KEYSPACE \\"\\($keyspace)\\"" else "TABLE \\"\\($keyspace)\\".\\"\\($within)\\"" end) as $on
      | "GRANT \\($permission) ON \\($on) TO \\"\\($role)\\";"' details.json >grants.cql
    cqlsh -f grants.cql
`;
}

function cassandra(m: PlainManifest): string | undefined {
  const parts = m.parts.filter((p) => p.store === 'cassandra');
  if (parts.length === 0) return undefined;
  return `Cassandra's files

\`nodetool drain\`, then stop Cassandra, on every node. When all are stopped, on each node, with the folders of its cassandra.yaml
(where there are several data folders, one of them will do, but the others are emptied as well):

    data=/var/lib/cassandra/data commitlog=/var/lib/cassandra/commitlog

    mv "$data/$keyspace" "$data/../$keyspace.aside"
    mv "$commitlog" "$commitlog.aside" && mkdir "$commitlog"

and likewise, as for the commit log, with the folders of hints and saved caches. Then, with the node's own name in the backup:

${parts.map(({ node }) => `    node=${node}`).join('\n')}

    restore lay-out ${m.id} "$node" cassandra "$data/$keyspace" sstables/
    restore lay-out ${m.id} "$node" cassandra "$commitlog" replay/
    chown -R cassandra: "$data/$keyspace" "$commitlog"

\`sstables/\` is the snapshot; \`replay/\` is the commit log from there on with only what was written before T. (\`commitlog/\` holds the
same as it was, for skep.) Start all nodes: they replay it. No setting is needed for that; in particular no
\`restore_point_in_time\`, which overlooks deletions of rows.
`;
}

function repair(): string {
  return `Repair

\`nodetool repair --full "$keyspace"\` on one node after the other, then the grace periods as they were:

    jq -r '.topology.keyspace as $keyspace | .schema.rows.tables[]
      | "ALTER TABLE \\($keyspace).\\"\\(.table_name)\\" WITH gc_grace_seconds = \\(.gc_grace_seconds);"' details.json >grace.cql
    cqlsh -f grace.cql
`;
}

function attachments(m: PlainManifest): string | undefined {
  const parts = m.parts.filter((p) => p.store === 'files');
  if (parts.length === 0) return undefined;
  return `Attachments

Into the folder that holds \`attachment/\`:

    files=/opt/thp/thehive/files
    mkdir -p "$files.aside" && { [ ! -e "$files/attachment" ] || mv "$files/attachment" "$files.aside/"; }
${parts.map(({ node }) => `    restore lay-out ${m.id} ${node} files "$files"`).join('\n')}
    chown -R thehive: "$files"

Where TheHive keeps attachments on S3: lay them out in an empty folder, and bring that into the bucket with its own tools
(\`aws s3 sync "$files" s3://BUCKET/PREFIX\`), with what is there moved aside first.
`;
}

function elasticsearch(m: PlainManifest): string | undefined {
  const parts = m.parts.filter((p) => p.store === 'elasticsearch');
  if (parts.length === 0) return undefined;
  return `Elasticsearch

\`snapshots\` is a new folder below \`path.repo\` that every Elasticsearch node can read. User, password and CA are lines of a file curl.conf
(\`user = "elastic:…"\`, \`cacert = "…"\`), so that no list of processes shows them.

    url=https://localhost:9200 snapshots=/path/of/path.repo/skep-by-hand
    es() { curl -fsS -K curl.conf -H 'content-type: application/json' -X "$1" "$url/$2" --data-binary @-; echo; }
    put_each() { while read -r call; do
      printf '%s' "$call" | jq -c '.[1]' | es PUT "$(printf '%s' "$call" | jq -r '.[0]')"; done; }

${parts.map(({ node }) => `    restore lay-out ${m.id} ${node} elasticsearch "$snapshots"`).join('\n')}
    chown -R elasticsearch: "$snapshots"
    jq -c '.search.policies | to_entries[] | ["_ilm/policy/" + (.key | @uri), {policy: .value}]' details.json | put_each
    jq -c '.search.templates | to_entries | sort_by(.key)[] | (.key | split(":")) as [$kind]
      | [({component: "_component_template/", index: "_index_template/"}[$kind] // "_template/")
        + (.key | ltrimstr($kind + ":") | @uri), .value]' details.json | put_each

Indices of the same names are deleted now. Those of the graph come back empty, with their shape: the graph fills them later, so
that they tell what it holds at T and nothing else. Every answer must say \`"acknowledged":true\`.

    jq -r '(.search.indices + .search.audits)[].name | @uri' details.json | while read -r index; do
      es DELETE "$index?ignore_unavailable=true" </dev/null
    done
    jq -c '.search.indices[] | [(.name | @uri), {mappings, aliases, settings: {index: (.settings | del(.uuid, .version,
      .creation_date, .creation_date_string, .provided_name, .history, .resize, .blocks, .lifecycle,
      .routing.allocation.initial_recovery))}}]' details.json | put_each

The audit log, where TheHive keeps it in Elasticsearch, comes out of the snapshot. The answer must say \`"failed":0\`.

    jq -n --arg location "$snapshots" '{type: "fs", settings: {location: $location, readonly: true}}' | es PUT _snapshot/skep-by-hand
    jq -c 'select(.search.audits != []) | {indices: [.search.audits[].name] | join(","), include_global_state: false,
      feature_states: ["none"], include_aliases: true, ignore_index_settings: ["index.lifecycle.*"]}' details.json >audits.json
    [ ! -s audits.json ] ||
      es POST "_snapshot/skep-by-hand/$(jq -r .search.snapshot details.json)/_restore?wait_for_completion=true" <audits.json
`;
}

function audits(m: PlainManifest): string | undefined {
  if (m.cutMicros === undefined || !m.parts.some((p) => p.store === 'elasticsearch')) return undefined;
  return `Audit entries after T

They are kept in audits-after.json and deleted, by the field that holds their time, until the last answer for an index says
\`"count":0\`; then lifecycle management gets its indices back.

    later='{"range": {"createdAt": {"gt": ${m.cutMicros.slice(0, -3)}, "format": "epoch_millis"}}}'
    jq -r '.search.audits[].name | @uri' details.json | while read -r index; do
      while
        printf '{"size": 1000, "query": %s}' "$later" | es POST "$index/_search" >found.json
        jq -c '.hits.hits[] | {delete: {_index, _id}}' found.json >deletions.json && [ -s deletions.json ]
      do
        jq -c '.hits.hits[]' found.json >>audits-after.json
        es POST "_bulk?refresh=true" <deletions.json | jq -e '.errors == false' >/dev/null || break
      done
      printf '{"query": %s}' "$later" | es POST "$index/_count"
    done
    jq -c '.search.audits[] | select(.settings.lifecycle) | [(.name | @uri) + "/_settings", {index: {lifecycle: .settings.lifecycle}}]' \\
      details.json | put_each
`;
}

function thehive(): string {
  return `TheHive

The search index is empty. Start TheHive and have it index its data (platform administration, or
\`POST /api/v1/admin/index/global/reindex\`).

A JanusGraph that takes an instance which ran at T for one that still runs does not index, or does not start. Then, and wherever
there is no such administration, in a Gremlin console on this graph while no other instance runs:

    mgmt = graph.openManagement(); mgmt.getOpenInstances().findAll { !it.endsWith('(current)') }.each { mgmt.forceCloseInstance(it) }; mgmt.commit()
    mgmt = graph.openManagement(); mgmt.updateIndex(mgmt.getGraphIndex('global'), SchemaAction.REINDEX).get(); mgmt.commit()
`;
}

function tidy(): string {
  return `Tidy

    es DELETE _snapshot/skep-by-hand </dev/null

Remove the folder of the snapshot, and all that is called \`aside\` when nothing of it is wanted any more.
`;
}

/** To the microsecond. */
function cutTime(micros: string): string {
  const seconds = new Date(Number(micros.slice(0, -6)) * 1000).toISOString().slice(0, 19);
  return `${seconds}.${micros.slice(-6)}Z`;
}
