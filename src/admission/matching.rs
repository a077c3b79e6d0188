//! Which objects and operations a policy is about.

use serde_json::{Map, Value};

/// A kind of objects, as rules of policies name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    /// API group; empty for the first one.
    pub group: String,
    /// Version.
    pub version: String,
    /// Plural: `deployments`.
    pub plural: String,
    /// Kind: `Deployment`.
    pub kind: String,
    /// Whether objects live in namespaces.
    pub namespaced: bool,
}

/// `matchConstraints` of a policy or `matchResources` of a binding.
#[derive(Debug, Default)]
pub(super) struct Match {
    rules: Vec<Rule>,
    excluded: Vec<Rule>,
    namespaces: Selector,
    objects: Selector,
}

#[derive(Debug)]
struct Rule {
    groups: Vec<String>,
    versions: Vec<String>,
    operations: Vec<String>,
    resources: Vec<String>,
    names: Vec<String>,
    scope: Option<String>,
}

/// A selector of labels.
#[derive(Debug, Default)]
pub(super) struct Selector {
    labels: Vec<(String, String)>,
    expressions: Vec<(String, String, Vec<String>)>,
}

type Labels = Map<String, Value>;

impl Match {
    pub fn read(value: &Value) -> Self {
        let rules = |field: &str| value[field].as_array().into_iter().flatten().map(Rule::read).collect();
        Self {
            rules: rules("resourceRules"),
            excluded: rules("excludeResourceRules"),
            namespaces: Selector::read(&value["namespaceSelector"]),
            objects: Selector::read(&value["objectSelector"]),
        }
    }

    /// Whether it is about a kind and operation at all.
    pub fn knows(&self, resource: &Resource, operation: &str) -> bool {
        self.rules.is_empty() || self.rules.iter().any(|rule| rule.knows(resource, operation))
    }

    /// Whether it is about an object. `namespace` has the labels of the object's namespace, or of the object if it is a
    /// namespace; none for other objects of the cluster.
    pub fn meets(
        &self,
        resource: &Resource,
        operation: &str,
        name: &str,
        object: &Labels,
        namespace: Option<&Labels>,
    ) -> bool {
        let by = |rules: &[Rule]| rules.iter().any(|rule| rule.knows(resource, operation) && rule.names_it(name));
        (self.rules.is_empty() || by(&self.rules))
            && !by(&self.excluded)
            && namespace.is_none_or(|labels| self.namespaces.selects(labels))
            && self.objects.selects(object)
    }
}

impl Rule {
    fn read(value: &Value) -> Self {
        let texts = |field: &str| {
            let items = value[field].as_array().into_iter().flatten();
            items.filter_map(Value::as_str).map(str::to_owned).collect()
        };
        Self {
            groups: texts("apiGroups"),
            versions: texts("apiVersions"),
            operations: texts("operations"),
            resources: texts("resources"),
            names: texts("resourceNames"),
            scope: value["scope"].as_str().map(str::to_owned),
        }
    }

    fn knows(&self, resource: &Resource, operation: &str) -> bool {
        let has = |list: &[String], wanted: &str| list.iter().any(|one| one == "*" || one == wanted);
        let scope = match self.scope.as_deref() {
            Some("Cluster") => !resource.namespaced,
            Some("Namespaced") => resource.namespaced,
            _ => true,
        };
        // `*/*` is everything; `pods/exec` and the like are no objects.
        let plural = has(&self.resources, &resource.plural) || self.resources.iter().any(|one| one == "*/*");
        has(&self.groups, &resource.group)
            && has(&self.versions, &resource.version)
            && plural
            && scope
            && has(&self.operations, operation)
    }

    fn names_it(&self, name: &str) -> bool {
        self.names.is_empty() || self.names.iter().any(|one| one == name)
    }
}

impl Selector {
    fn read(value: &Value) -> Self {
        let labels = value["matchLabels"].as_object().into_iter().flatten();
        let expressions = value["matchExpressions"].as_array().into_iter().flatten().map(|expression| {
            let values = expression["values"].as_array().into_iter().flatten();
            let text = |field: &str| expression[field].as_str().unwrap_or_default().to_owned();
            (text("key"), text("operator"), values.filter_map(Value::as_str).map(str::to_owned).collect())
        });
        Self {
            labels: labels.map(|(key, value)| (key.clone(), value.as_str().unwrap_or_default().to_owned())).collect(),
            expressions: expressions.collect(),
        }
    }

    fn selects(&self, labels: &Labels) -> bool {
        let value = |key: &str| labels.get(key).and_then(Value::as_str);
        self.labels.iter().all(|(key, wanted)| value(key) == Some(wanted))
            && self.expressions.iter().all(|(key, operator, values)| {
                let among = || value(key).is_some_and(|value| values.iter().any(|one| one == value));
                match operator.as_str() {
                    "In" => among(),
                    "NotIn" => !among(),
                    "Exists" => labels.contains_key(key),
                    "DoesNotExist" => !labels.contains_key(key),
                    _ => false,
                }
            })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn rules_and_selectors_select_what_the_api_server_selects() {
        let limits = Match::read(&json!({
            "namespaceSelector": {"matchExpressions": [{"key": "a", "operator": "In", "values": ["b"]},
                {"key": "x", "operator": "DoesNotExist"}]},
            "objectSelector": {"matchLabels": {"c": "d"}},
            "excludeResourceRules": [{"apiGroups": ["*"], "apiVersions": ["*"], "operations": ["*"], "resources": ["pods"],
                "resourceNames": ["free"]}],
            "resourceRules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}]}));
        let pods = Resource {
            group: "".into(),
            version: "v1".into(),
            plural: "pods".into(),
            kind: "Pod".into(),
            namespaced: true,
        };
        let labels = |value: Value| value.as_object().unwrap().clone();
        let (inside, good) = (labels(json!({"a": "b"})), labels(json!({"c": "d"})));
        assert!(limits.meets(&pods, "CREATE", "p", &good, Some(&inside)));
        assert!(!limits.meets(&pods, "CREATE", "free", &good, Some(&inside)));
        assert!(!limits.meets(&pods, "UPDATE", "p", &good, Some(&inside)));
        assert!(!limits.meets(&pods, "CREATE", "p", &inside, Some(&inside)));
        assert!(!limits.meets(&pods, "CREATE", "p", &good, Some(&labels(json!({"a": "b", "x": ""})))));
        assert!(!limits.knows(&Resource { plural: "services".into(), ..pods }, "CREATE"));
    }
}
