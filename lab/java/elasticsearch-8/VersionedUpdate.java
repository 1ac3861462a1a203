package skep.lab;

import java.util.Map;
import org.elasticsearch.script.UpdateCtxMap;
import org.elasticsearch.script.UpdateScript;

/** An update script in the form that Elasticsearch 8 calls. */
final class VersionedUpdate extends UpdateScript {
    private final FieldChange change;
    private final Map<String, Object> params;
    private final UpdateCtxMap ctx;

    private VersionedUpdate(FieldChange change, Map<String, Object> params, UpdateCtxMap ctx) {
        super(params, ctx);
        this.change = change;
        this.params = params;
        this.ctx = ctx;
    }

    static UpdateScript.Factory factory(FieldChange change) {
        return (params, ctx) -> new VersionedUpdate(change, params, ctx);
    }

    @Override
    public void execute() {
        change.run(params, ctx.getSource());
    }
}
