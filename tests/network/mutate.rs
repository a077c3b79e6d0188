//! Slips in policies: everything that a person may leave out, add or mistype.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tenantry::network::Source;

/// One document with one slip.
pub struct Mutant {
    /// Which document.
    pub at: usize,
    /// What it became; none if it is gone.
    pub value: Option<Value>,
    /// The slip.
    pub what: String,
}

/// Every slip in every policy. A policy that several tenants have word for word is taken once.
pub fn mutants(sources: &[Source]) -> Vec<Mutant> {
    let (mut found, mut seen) = (Vec::new(), BTreeSet::new());
    for (at, source) in sources.iter().enumerate() {
        let kind = source.value["kind"].as_str().unwrap_or_default();
        let is_policy = kind == "NetworkPolicy" || kind == "CiliumNetworkPolicy";
        if is_policy && seen.insert(without_slug(source)) {
            found.push(Mutant { at, value: None, what: "removed".to_owned() });
            let mut slips = Slips { original: &source.value, found: Vec::new() };
            slips.walk("", &source.value["spec"].clone(), "/spec");
            slips.elsewhere();
            let own = slips.found.into_iter().filter(|(value, _)| *value != source.value);
            found.extend(own.map(|(value, what)| Mutant { at, value: Some(value), what }));
        }
    }
    found
}

/// The text of a policy without the tenant that it belongs to.
fn without_slug(source: &Source) -> String {
    let text = json!([source.value["kind"], source.value["metadata"]["name"], source.value["spec"]]).to_string();
    match source.file.split_once("/tenants/").and_then(|(_, rest)| rest.split('/').next()) {
        Some(slug) => format!("tenant {}", text.replace(slug, "·")),
        None => text,
    }
}

struct Slips<'o> {
    original: &'o Value,
    found: Vec<(Value, String)>,
}

impl Slips<'_> {
    fn push(&mut self, what: String, edit: impl FnOnce(&mut Value)) {
        let mut value = self.original.clone();
        edit(&mut value);
        self.found.push((value, what));
    }

    /// A policy in the wrong namespace.
    fn elsewhere(&mut self) {
        for namespace in ["default", "soctalk-system", "tenant-acme"] {
            self.push(format!("in namespace {namespace}"), |value| value["metadata"]["namespace"] = json!(namespace));
        }
    }

    fn walk(&mut self, key: &str, value: &Value, pointer: &str) {
        match value {
            Value::Object(map) => {
                for (name, inner) in map {
                    let child = format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1"));
                    self.field(name, inner, pointer, &child);
                    self.walk(name, inner, &child);
                }
            }
            Value::Array(items) => {
                for (index, inner) in items.iter().enumerate() {
                    let child = format!("{pointer}/{index}");
                    self.push(format!("{child} left out"), |value| {
                        let list = value.pointer_mut(pointer).and_then(Value::as_array_mut).unwrap();
                        list.remove(index);
                    });
                    self.walk(key, inner, &child);
                }
            }
            leaf => self.leaf(key, leaf, pointer),
        }
    }

    /// A field that is forgotten, or a selector that takes everything.
    fn field(&mut self, name: &str, inner: &Value, pointer: &str, child: &str) {
        let is_needed = matches!(name, "podSelector" | "endpointSelector") && pointer == "/spec";
        let is_part = matches!(name, "key" | "operator" | "values" | "port" | "cidr" | "matchName" | "matchPattern");
        if !is_needed && !is_part {
            self.push(format!("{child} forgotten"), |value| {
                value.pointer_mut(pointer).and_then(Value::as_object_mut).unwrap().remove(name);
            });
        }
        if matches!(name, "podSelector" | "namespaceSelector" | "endpointSelector") && *inner != json!({}) {
            self.push(format!("{child} takes everything"), |value| *value.pointer_mut(child).unwrap() = json!({}));
        }
        if matches!(name, "from" | "to") {
            self.push(format!("{child} takes every namespace"), |value| {
                let list = value.pointer_mut(child).and_then(Value::as_array_mut).unwrap();
                list.push(json!({ "namespaceSelector": {} }));
            });
            self.push(format!("{child} takes every address"), |value| {
                let list = value.pointer_mut(child).and_then(Value::as_array_mut).unwrap();
                list.push(json!({ "ipBlock": { "cidr": "0.0.0.0/0" } }));
            });
        }
        if matches!(name, "toEndpoints" | "fromEndpoints") {
            self.push(format!("{child} takes every pod"), |value| {
                *value.pointer_mut(child).unwrap() =
                    json!([{ "matchExpressions": [{ "key": "k8s:io.kubernetes.pod.namespace", "operator": "Exists" }] }]);
            });
        }
        if matches!(name, "ingress" | "egress") && pointer == "/spec" {
            self.push(format!("{child} gets an empty rule"), |value| {
                value.pointer_mut(child).and_then(Value::as_array_mut).unwrap().push(json!({}));
            });
        }
    }

    /// A value that is mistyped, or wider than meant.
    fn leaf(&mut self, key: &str, leaf: &Value, pointer: &str) {
        let mut others: Vec<Value> = Vec::new();
        match (key, leaf) {
            ("port", Value::Number(port)) => others.push(json!(port.as_u64().unwrap() + 1)),
            ("port", Value::String(port)) => {
                others.extend(port.parse::<u32>().ok().map(|port| json!((port + 1).to_string())))
            }
            ("protocol", _) => others.extend([json!("UDP"), json!("TCP"), json!("SCTP")]),
            ("cidr", _) => others.extend([json!("0.0.0.0/0"), json!("198.51.100.7/32"), json!("10.0.0.0/8")]),
            ("toCIDR" | "fromCIDR", _) => others.extend([json!("0.0.0.0/0"), json!("198.51.100.7/32")]),
            ("matchName", _) => others.push(json!("mistyped.example.com")),
            ("matchPattern", _) => others.push(json!("*.example.com")),
            ("toEntities" | "fromEntities", _) => {
                others.extend([json!("all"), json!("cluster"), json!("world"), json!("kube-apiserver")]);
            }
            ("operator", _) => others.push(json!(if leaf == "In" { "NotIn" } else { "In" })),
            ("policyTypes", _) => others.push(json!(if leaf == "Ingress" { "Egress" } else { "Ingress" })),
            (_, Value::String(_)) => others.push(json!("mistyped")),
            _ => {}
        }
        for other in others.into_iter().filter(|other| other != leaf) {
            self.push(format!("{pointer} is {other} instead of {leaf}"), |value| {
                *value.pointer_mut(pointer).unwrap() = other;
            });
        }
    }
}
