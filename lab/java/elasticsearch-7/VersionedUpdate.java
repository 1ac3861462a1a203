package skep.lab;

import java.util.Map;
import org.elasticsearch.script.UpdateScript;

/** An update script in the form that Elasticsearch 7 calls. */
final class VersionedUpdate extends UpdateScript {
    private final FieldChange change;
    private final Map<String, Object> params;
    private final Map<String, Object> ctx;

    private VersionedUpdate(FieldChange change, Map<String, Object> params, Map<String, Object> ctx) {
        super(params, ctx);
        this.change = change;
        this.params = params;
        this.ctx = ctx;
    }

    static UpdateScript.Factory factory(FieldChange change) {
        return (params, ctx) -> new VersionedUpdate(change, params, ctx);
    }

    @Override
    @SuppressWarnings("unchecked")
    public void execute() {
        change.run(params, (Map<String, Object>) ctx.get("_source"));
    }
}
