// One ledger transaction = one JanusGraph transaction. `body` is the JSON list of its operations (lab/ledger/model.ts).
def typed = { k, x -> k in ['createdAt', 'updatedAt'] ? new Date(x as long) : k in ['size', 'seq'] ? (x as long) : k in ['severity', 'number'] ? (x as int) : x }
def seen = [:]
def at = { uid -> seen[uid] ?: (seen[uid] = g.V().has('uid', uid).tryNext().orElseThrow { new IllegalStateException('no vertex ' + uid) }) }
graph.tx().rollback()
try {
  new groovy.json.JsonSlurper().parseText(body).each { op ->
    switch (op[0]) {
      case 'addV':
        def v = graph.addVertex(T.label, op[2]); v.property('uid', op[1]); seen[op[1]] = v
        op[3].each { k, x -> (x instanceof List ? x : [x]).each { v.property(k, typed(k, it)) } }
        break
      case 'set': at(op[1]).property(op[2], typed(op[2], op[3])); break
      case 'unset': at(op[1]).properties(op[2]).each { it.remove() }; break
      case 'add': at(op[1]).property(op[2], typed(op[2], op[3])); break
      case 'take': at(op[1]).properties(op[2]).findAll { it.value() == op[3] }.each { it.remove() }; break
      case 'addE': at(op[3]).addEdge(op[2], at(op[4]), 'eid', op[1]); break
      case 'delV': at(op[1]).remove(); break
      default: throw new IllegalArgumentException('unknown operation ' + op[0])
    }
  }
  graph.tx().commit()
} catch (Throwable e) { graph.tx().rollback(); throw e }
'ok'
