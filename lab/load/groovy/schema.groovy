// The schema of the load: idempotent, made before anything is written.
graph.tx().rollback()
def mgmt = graph.openManagement()
if (mgmt.getGraphIndex('global') != null) { mgmt.rollback(); return 'present' }
['Case', 'Observable', 'Attachment', 'Log', 'Task'].each { mgmt.makeVertexLabel(it).make() }
def plain = { n, c -> mgmt.makePropertyKey(n).dataType(c).cardinality(Cardinality.SINGLE).make() }
def keys = [:]
['uid', 'eid', 'kind', 'title', 'description', 'message', 'status', 'dataType', 'hash', 'data', 'name', 'attachmentId', 'contentType'].each { keys[it] = plain(it, String) }
['createdAt', 'updatedAt'].each { keys[it] = plain(it, Date) }
['severity', 'number'].each { keys[it] = plain(it, Integer) }
['size', 'seq'].each { keys[it] = plain(it, Long) }
keys.ioc = plain('ioc', Boolean)
keys.tags = mgmt.makePropertyKey('tags').dataType(String).cardinality(Cardinality.SET).make()
['CaseObservable', 'CaseTask', 'TaskLog', 'LogAttachment', 'ObservableAttachment'].each { mgmt.makeEdgeLabel(it).multiplicity(Multiplicity.MULTI).make() }
def caseNumber = mgmt.buildIndex('CaseNumber', Vertex).addKey(keys.number).unique().buildCompositeIndex()
mgmt.setConsistency(caseNumber, ConsistencyModifier.LOCK)
[byUid: 'uid', byHash: 'hash', byAttachmentId: 'attachmentId'].each { n, k -> mgmt.buildIndex(n, Vertex).addKey(keys[k]).buildCompositeIndex() }
def mixed = mgmt.buildIndex('global', Vertex)
['title', 'description', 'message', 'data'].each { mixed.addKey(keys[it], Mapping.TEXTSTRING.asParameter()) }
['status', 'dataType', 'hash', 'name', 'attachmentId', 'contentType', 'kind', 'tags'].each { mixed.addKey(keys[it], Mapping.STRING.asParameter()) }
['createdAt', 'updatedAt', 'severity', 'number', 'size', 'ioc'].each { mixed.addKey(keys[it]) }
mixed.buildMixedIndex('search')
mgmt.commit()
'made'
