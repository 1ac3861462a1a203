// The vertices `body` (JSON list of ids) with all properties and both sides of their edges; an id that is gone is left out.
def tx = graph.newTransaction()
try {
  def plain = { it instanceof Date ? it.getTime() : it }
  def eid = { it.property('eid').orElse(null) }
  def ids = new groovy.json.JsonSlurper().parseText(body).collect { it as long }
  def found = tx.getVertices(*ids).toList()
  def properties = tx.multiQuery(found).properties()
  def outs = tx.multiQuery(found).direction(Direction.OUT).edges()
  def ins = tx.multiQuery(found).direction(Direction.IN).edges()
  groovy.json.JsonOutput.toJson(found.collect { v -> [
    id: v.id().toString(), label: v.label(),
    properties: properties.get(v).collect { [it.key(), plain(it.value())] },
    outEdges: outs.get(v).collect { [eid(it), it.label(), it.inVertex().id().toString()] },
    inEdges: ins.get(v).collect { [eid(it), it.label(), it.outVertex().id().toString()] }
  ] })
} finally { tx.rollback() }
