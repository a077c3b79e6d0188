//! The shape of a custom resource, from its CustomResourceDefinition as the cluster serves it.

use std::collections::BTreeMap;

use super::builtin;
use super::kind::{Gvk, Known};
use super::node::Node;
use super::shape::{List, Rule, Shape};

/// A CustomResourceDefinition: how its objects are reached, and what their fields are.
#[derive(Debug, Clone, PartialEq)]
pub struct Definition {
    /// API group.
    pub group: String,
    /// Kind.
    pub kind: String,
    /// The name in paths: `ciliumnetworkpolicies`.
    pub plural: String,
    /// Whether objects live in namespaces.
    pub namespaced: bool,
    /// The shape at each served version.
    pub versions: BTreeMap<String, Shape>,
}

/// Reads a CustomResourceDefinition (`apiextensions.k8s.io/v1`).
///
/// # Errors
/// What it lacks.
pub fn read(crd: &Node<'_>) -> Result<Definition, String> {
    let text = |path: &[&str]| {
        let found = crd.at(path).and_then(Node::as_text);
        found.map(str::to_owned).ok_or_else(|| format!("the CustomResourceDefinition has no {}", path.join(".")))
    };
    let (group, kind) = (text(&["spec", "group"])?, text(&["spec", "names", "kind"])?);
    let mut versions = BTreeMap::new();
    for version in crd.at(&["spec", "versions"]).and_then(Node::as_list).unwrap_or_default() {
        if version.get("served") == Some(&Node::Bool(false)) {
            continue;
        }
        let Some(name) = version.get("name").and_then(Node::as_text) else { continue };
        let schema = version.at(&["schema", "openAPIV3Schema"]);
        versions.insert(
            name.to_owned(),
            shape(&Gvk { group: group.clone(), version: name.to_owned(), kind: kind.clone() }, schema),
        );
    }
    if versions.is_empty() {
        return Err("the CustomResourceDefinition serves no version".to_owned());
    }
    let namespaced = text(&["spec", "scope"])? == "Namespaced";
    Ok(Definition { group, kind, plural: text(&["spec", "names", "plural"])?, namespaced, versions })
}

fn shape(gvk: &Gvk, schema: Option<&Node<'_>>) -> Shape {
    let mut shape = schema.map(structural).unwrap_or_default();
    shape.fields.retain(|name, _| !matches!(name.as_str(), "apiVersion" | "kind" | "metadata" | "status"));
    // Metadata is the API server's own, whatever the schema says.
    if let Some(metadata) = builtin::shape(Known::Other).fields.remove("metadata") {
        shape.fields.insert("metadata".to_owned(), metadata);
    }
    for (path, rule) in rewritten(gvk.known()) {
        shape.add(path, *rule);
    }
    shape.settle();
    shape
}

/// Fields that a controller writes back in another form when it touches the object through its Go type.
fn rewritten(kind: Known) -> &'static [(&'static str, Rule)] {
    match kind {
        Known::Certificate => &[("spec.duration", Rule::Duration), ("spec.renewBefore", Rule::Duration)],
        Known::ExternalSecret | Known::PushSecret => &[("spec.refreshInterval", Rule::Duration)],
        _ => &[],
    }
}

fn structural(schema: &Node<'_>) -> Shape {
    let mut shape = Shape { nullable: schema.get("nullable") == Some(&Node::Bool(true)), ..Shape::default() };
    shape.default = schema.get("default").cloned().map(Node::into_owned);
    for (name, property) in schema.get("properties").and_then(Node::as_map).into_iter().flat_map(|map| map.iter()) {
        shape.fields.insert(name.to_owned(), structural(property));
    }
    if let Some(rest @ Node::Map(_)) = schema.get("additionalProperties") {
        shape.rest = Some(Box::new(structural(rest)));
    }
    if let Some(items @ Node::Map(_)) = schema.get("items") {
        shape.items = Some(Box::new(structural(items)));
    }
    shape.list = match schema.get("x-kubernetes-list-type").and_then(Node::as_text) {
        Some("set") => List::Set,
        Some("map") => {
            let keys = schema.get("x-kubernetes-list-map-keys").and_then(Node::as_list).unwrap_or_default();
            List::Keyed(keys.iter().filter_map(|key| key.as_text().map(str::to_owned)).collect())
        }
        _ => List::Atomic,
    };
    shape
}

#[cfg(test)]
mod tests {
    use super::super::shape::Origin;
    use super::*;

    const CRD: &str = r#"{"spec":{"group":"x.io","scope":"Namespaced","names":{"kind":"K","plural":"ks"},"versions":[
        {"name":"v1","served":true,"schema":{"openAPIV3Schema":{"properties":{"spec":{"default":{},"properties":{
            "target":{"default":{"creationPolicy":"Owner"},"properties":{"creationPolicy":{"default":"Owner"},
                "deletionPolicy":{"default":"Retain"}}},
            "cpu":{},"maybe":{"nullable":true},
            "refs":{"x-kubernetes-list-type":"map","x-kubernetes-list-map-keys":["name"],"items":{"properties":{"mode":{"default":"a"}}}},
            "map":{"additionalProperties":{"properties":{"on":{"default":true}}}}
        }}}}}},
        {"name":"v1beta1","served":false}]}}"#;

    fn worked(json: &str) -> String {
        let definition = read(&Node::from_json(CRD.as_bytes()).unwrap()).unwrap();
        let shape = &definition.versions["v1"];
        let mut node = Node::from_json(json.as_bytes()).unwrap();
        shape.apply_defaults(&mut node);
        shape.prune(&mut node, Origin::Custom);
        shape.normalise(&mut node);
        node.to_string()
    }

    #[test]
    fn defaults_come_from_the_parent_first_and_then_fill_it() {
        let target = r#""target":{"creationPolicy":"Owner","deletionPolicy":"Retain"}"#;
        assert_eq!(worked("{}"), format!(r#"{{"spec":{{{target}}}}}"#));
        assert_eq!(worked(r#"{"spec":{"target":{}}}"#), format!(r#"{{"spec":{{{target}}}}}"#));
        let json = r#"{"spec":{"map":{"a":{}},"refs":[{"name":"b"},{"mode":"x","name":"a"}]}}"#;
        let expected = r#"{"spec":{"map":{"a":{"on":true}},"refs":[{"mode":"x","name":"a"},{"mode":"a","name":"b"}],"#;
        assert_eq!(worked(json), format!("{expected}{target}}}}}"));
    }

    #[test]
    fn quantities_stay_text_and_nulls_follow_the_schema() {
        let json = r#"{"spec":{"cpu":"1000m","maybe":null,"target":null}}"#;
        let target = r#""target":{"creationPolicy":"Owner","deletionPolicy":"Retain"}"#;
        assert_eq!(worked(json), format!(r#"{{"spec":{{"cpu":"1000m","maybe":null,{target}}}}}"#));
    }

    #[test]
    fn only_served_versions_count() {
        let definition = read(&Node::from_json(CRD.as_bytes()).unwrap()).unwrap();
        assert_eq!(definition.versions.keys().collect::<Vec<_>>(), ["v1"]);
        assert!(read(&Node::from_json(br#"{"spec":{}}"#).unwrap()).is_err());
    }
}
