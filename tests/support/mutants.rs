//! Manifests with one thing broken.
// Each test binary uses its own part of this; a broken set-up panics.
#![allow(dead_code, clippy::unwrap_used, reason = "a test that cannot go on says so by its panic")]

use serde_json::{Map, Value, json};

/// A manifest with one thing broken.
#[derive(Debug, Clone)]
pub struct Mutant {
    pub what: String,
    pub object: Value,
}

/// Every way of breaking one field of a manifest: left out, renamed, of another type, with a senseless value.
pub fn mutants(object: &Value) -> Vec<Mutant> {
    let mut pointers = Vec::new();
    collect(object, String::new(), &mut pointers);
    let name = format!("{} {}", object["kind"].as_str().unwrap(), object["metadata"]["name"].as_str().unwrap());
    let mut mutants = Vec::new();
    for pointer in pointers {
        let mut push = |how: &str, change: &dyn Fn(&mut Map<String, Value>, &str)| {
            let (parent, key) = pointer.rsplit_once('/').unwrap();
            let mut object = object.clone();
            let Some(Value::Object(fields)) = object.pointer_mut(parent) else { return };
            change(fields, &key.replace("~1", "/").replace("~0", "~"));
            mutants.push(Mutant { what: format!("{name} {pointer} {how}"), object });
        };
        push("left out", &|fields, key| drop(fields.remove(key)));
        push("renamed", &|fields, key| {
            let value = fields.remove(key).unwrap();
            fields.insert(format!("{key}x"), value);
        });
        let value = object.pointer(&pointer).unwrap().clone();
        let others = match &value {
            Value::String(_) => {
                vec![("a number", json!(7)), ("a mapping", json!({"a": "b"})), ("senseless", json!("!? no\u{a0}sense"))]
            }
            Value::Number(_) => {
                vec![("text", json!("seven")), ("far too great", json!(4_000_000_000_u64)), ("below zero", json!(-7))]
            }
            Value::Bool(_) => vec![("text", json!("yes"))],
            Value::Array(items) => {
                let twice = items.iter().chain(items.first()).cloned().collect::<Vec<_>>();
                vec![("a mapping", json!({"a": "b"})), ("text", json!("list")), ("its first item twice", twice.into())]
            }
            Value::Object(_) => vec![("a list", json!(["a"])), ("text", json!("mapping"))],
            Value::Null => vec![],
        };
        for (how, other) in others {
            push(how, &|fields, key| drop(fields.insert(key.to_owned(), other.clone())));
        }
    }
    mutants
}

/// Pointers of the fields of a manifest that can be broken without naming another object; of long lists the first items.
fn collect(value: &Value, pointer: String, pointers: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                let pointer = format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1"));
                if matches!(
                    pointer.as_str(),
                    "/apiVersion" | "/kind" | "/metadata/name" | "/metadata/namespace" | "/metadata"
                ) {
                    continue;
                }
                pointers.push(pointer.clone());
                collect(value, pointer, pointers);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate().take(2) {
                collect(item, format!("{pointer}/{index}"), pointers);
            }
        }
        _ => {}
    }
}
