//! Makes schemas compact: what only explains is dropped, and equal schemas become one.

use std::collections::HashMap;

use serde_json::{Map, Value};

/// Keywords that explain, or that say how to merge, and not what is allowed.
const DROPPED: [&str; 13] = [
    "description",
    "title",
    "example",
    "externalDocs",
    "deprecated",
    "x-kubernetes-map-type",
    "x-kubernetes-patch-strategy",
    "x-kubernetes-patch-merge-key",
    "x-kubernetes-group-version-kind",
    "x-kubernetes-unions",
    "x-kubernetes-action",
    "$schema",
    "id",
];

/// Keywords that are kept as they are.
const KEPT: [&str; 25] = [
    "type",
    "nullable",
    "required",
    "enum",
    "pattern",
    "format",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "uniqueItems",
    "minProperties",
    "maxProperties",
    "default",
    "x-quantity",
    "x-kubernetes-int-or-string",
    "x-kubernetes-preserve-unknown-fields",
    "x-kubernetes-embedded-resource",
    "x-kubernetes-list-type",
    "x-kubernetes-list-map-keys",
];

/// Distinct schemas by number.
#[derive(Debug, Default)]
pub(super) struct Interner {
    numbers: HashMap<String, u32>,
    lines: Vec<String>,
}

impl Interner {
    /// The number of a schema that has no references left.
    ///
    /// # Errors
    /// A keyword that is not understood; nothing is left out silently.
    pub fn add(&mut self, schema: &Value) -> Result<u32, String> {
        let Value::Object(schema) = schema else { return Err("a schema is not a mapping".into()) };
        let mut node = Map::new();
        for (keyword, value) in schema {
            match keyword.as_str() {
                name if DROPPED.contains(&name) => {}
                "properties" => drop(node.insert(keyword.clone(), self.map(value)?)),
                "items" | "not" => drop(node.insert(keyword.clone(), self.add(value)?.into())),
                "allOf" | "anyOf" | "oneOf" => drop(node.insert(keyword.clone(), self.list(value)?)),
                "additionalProperties" => self.additional(value, &mut node)?,
                "x-kubernetes-validations" => drop(node.insert(keyword.clone(), value.clone())),
                name if KEPT.contains(&name) => {
                    if !is_nothing(value) || name == "default" {
                        node.insert(keyword.clone(), value.clone());
                    }
                }
                other => return Err(format!("the keyword {other} of a schema is not understood")),
            }
        }
        Ok(self.intern(Value::Object(node).to_string()))
    }

    /// The schemas, one a line.
    pub fn lines(&self) -> &[String] {
        &self.lines
    }

    fn additional(&mut self, value: &Value, node: &mut Map<String, Value>) -> Result<(), String> {
        match value {
            Value::Bool(true) => drop(node.insert("x-kubernetes-preserve-unknown-fields".into(), true.into())),
            Value::Bool(false) => {}
            schema => drop(node.insert("additionalProperties".into(), self.add(schema)?.into())),
        }
        Ok(())
    }

    fn map(&mut self, schemas: &Value) -> Result<Value, String> {
        let fields = schemas.as_object().into_iter().flatten();
        let fields: Result<Map<String, Value>, String> =
            fields.map(|(name, schema)| Ok((name.clone(), self.add(schema)?.into()))).collect();
        fields.map(Value::Object)
    }

    fn list(&mut self, schemas: &Value) -> Result<Value, String> {
        let items: Result<Vec<Value>, String> =
            schemas.as_array().into_iter().flatten().map(|schema| Ok(self.add(schema)?.into())).collect();
        items.map(Value::Array)
    }

    fn intern(&mut self, line: String) -> u32 {
        let next = u32::try_from(self.lines.len()).unwrap_or(u32::MAX);
        *self.numbers.entry(line).or_insert_with_key(|line| {
            self.lines.push(line.clone());
            next
        })
    }
}

/// What is the same as a keyword that is not there.
fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Array(items) => items.is_empty(),
        _ => false,
    }
}
