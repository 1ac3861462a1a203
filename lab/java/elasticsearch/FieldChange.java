package skep.lab;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * What the two scripts do that JanusGraph stores in Elasticsearch at start: values added to, or taken from, the fields of a
 * document, with respect to the cardinality of each field.
 */
enum FieldChange {
    ADD {
        @Override
        void apply(Map<String, Object> source, String name, String cardinality, Object value) {
            List<Object> values = listOf(source, name);
            if ("SET".equals(cardinality) && values.contains(value)) return;
            values.add(value);
            source.put(name, values);
        }
    },
    REMOVE {
        @Override
        void apply(Map<String, Object> source, String name, String cardinality, Object value) {
            if ("SINGLE".equals(cardinality)) {
                source.remove(name);
            } else if (source.containsKey(name)) {
                List<Object> values = listOf(source, name);
                values.remove(value);
                source.put(name, values);
            }
        }
    };

    abstract void apply(Map<String, Object> source, String name, String cardinality, Object value);

    /** Recognises the script by its text; any other script is refused. */
    static FieldChange of(String code) {
        boolean adds = code.contains("ctx._source[field.name].add(field.value)");
        boolean removes = code.contains("ctx._source.remove(field.name)");
        if (adds == removes) throw new IllegalArgumentException("the lab's stand-in for painless runs JanusGraph's two scripts only, not: " + code);
        return adds ? ADD : REMOVE;
    }

    @SuppressWarnings("unchecked")
    void run(Map<String, Object> params, Map<String, Object> source) {
        for (Map<String, Object> field : (List<Map<String, Object>>) params.get("fields")) {
            apply(source, (String) field.get("name"), (String) field.get("cardinality"), field.get("value"));
        }
    }

    @SuppressWarnings("unchecked")
    private static List<Object> listOf(Map<String, Object> source, String name) {
        Object present = source.get(name);
        return present == null ? new ArrayList<>() : (List<Object>) present;
    }
}
