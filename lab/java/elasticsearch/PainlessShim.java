package skep.lab;

import java.util.Collection;
import java.util.Map;
import java.util.Set;
import org.elasticsearch.common.settings.Settings;
import org.elasticsearch.plugins.Plugin;
import org.elasticsearch.plugins.ScriptPlugin;
import org.elasticsearch.script.ScriptContext;
import org.elasticsearch.script.ScriptEngine;
import org.elasticsearch.script.UpdateScript;

/**
 * Lab equipment: the module lang-painless is not in the Java registry. This engine answers to its name and runs the two update
 * scripts of JanusGraph, recognised by their text; it refuses all others.
 */
public class PainlessShim extends Plugin implements ScriptPlugin {
    @Override
    public ScriptEngine getScriptEngine(Settings settings, Collection<ScriptContext<?>> contexts) {
        return new Engine();
    }

    private static final class Engine implements ScriptEngine {
        @Override
        public String getType() {
            return "painless";
        }

        @Override
        public Set<ScriptContext<?>> getSupportedContexts() {
            return Set.of(UpdateScript.CONTEXT);
        }

        @Override
        public <F> F compile(String name, String code, ScriptContext<F> context, Map<String, String> options) {
            if (!context.name.equals(UpdateScript.CONTEXT.name)) throw new IllegalArgumentException("only updates, not " + context.name);
            return context.factoryClazz.cast(VersionedUpdate.factory(FieldChange.of(code)));
        }
    }
}
