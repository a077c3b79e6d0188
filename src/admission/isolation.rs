//! Default-deny is a property of a set of objects, which no policy about one object can ask for.

use serde_json::{Map, Value};

/// The label that tells namespaces of this platform.
pub const MANAGED: (&str, &str) = ("managed-by", "soctalk");

/// Whether a manifest is a namespace of this platform.
pub fn is_managed(object: &Value) -> bool {
    object["kind"] == "Namespace" && object["metadata"]["labels"][MANAGED.0] == MANAGED.1
}

/// Whether a NetworkPolicy selects every pod of its namespace and lets nothing in and nothing out.
pub fn is_default_deny(policy: &Value) -> bool {
    let spec = &policy["spec"];
    let is_empty = |value: &Value| value.is_null() || value.as_object().is_some_and(Map::is_empty);
    let none = |field: &str| spec[field].is_null() || spec[field].as_array().is_some_and(Vec::is_empty);
    let types = spec["policyTypes"].as_array();
    let has = |wanted: &str| types.is_some_and(|types| types.iter().any(|one| one == wanted));
    let everyone = is_empty(&spec["podSelector"]["matchLabels"])
        && spec["podSelector"]["matchExpressions"].as_array().is_none_or(Vec::is_empty);
    policy["kind"] == "NetworkPolicy"
        && everyone
        && has("Ingress")
        && has("Egress")
        && none("ingress")
        && none("egress")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn default_deny_is_for_all_pods_and_both_ways() {
        let policy = |spec: Value| json!({"kind": "NetworkPolicy", "spec": spec});
        let both = json!(["Ingress", "Egress"]);
        assert!(is_default_deny(&policy(json!({"podSelector": {}, "policyTypes": both}))));
        for spec in [
            json!({"podSelector": {}, "policyTypes": ["Ingress"]}),
            json!({"podSelector": {"matchLabels": {"a": "b"}}, "policyTypes": both}),
            json!({"podSelector": {}, "policyTypes": both, "egress": [{}]}),
            json!({"podSelector": {}}),
        ] {
            assert!(!is_default_deny(&policy(spec.clone())), "{spec}");
        }
    }
}
