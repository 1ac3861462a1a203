// Every vertex that a full scan finds: an ordinary scan of the edge store, no index.
def tx = graph.newTransaction()
try { groovy.json.JsonOutput.toJson(tx.traversal().V().id().toList().collect { it.toString() }) } finally { tx.rollback() }
