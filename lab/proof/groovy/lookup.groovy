// For each value of `body` (JSON list): the ids that the composite index on the property `indexed` gives for it.
def tx = graph.newTransaction()
try {
  def typed = { indexed == 'number' ? (it as int) : it }
  groovy.json.JsonOutput.toJson(new groovy.json.JsonSlurper().parseText(body).collect { x ->
    tx.query().has(indexed, typed(x)).vertices().collect { it.id().toString() }
  })
} finally { tx.rollback() }
