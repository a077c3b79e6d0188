//! Lists that tell their items apart, by value or by some fields: none may be there twice.

use std::collections::HashMap;

use serde_json::Value;

use super::catalog::SchemaOf;
use super::node::{ListType, Node};

/// Whether items of the list are told apart.
pub(super) fn tells_apart(node: &Node) -> bool {
    node.unique_items || matches!(node.list_type, Some(ListType::Set | ListType::Map))
}

/// The parts of the items that tell them apart.
pub(super) fn decisive(schema: SchemaOf<'_>, list: &Value) -> Vec<Value> {
    let items = list.as_array().into_iter().flatten();
    items.map(|item| key_of(schema, item)).collect()
}

/// Items that say the same as an earlier one: their position and that of the first.
pub(super) fn twins(schema: SchemaOf<'_>, list: &Value) -> Vec<(usize, usize)> {
    let mut seen: HashMap<String, usize> = HashMap::new();
    let mut twins = Vec::new();
    for (index, key) in decisive(schema, list).into_iter().enumerate() {
        match seen.entry(key.to_string()) {
            std::collections::hash_map::Entry::Occupied(first) => twins.push((index, *first.get())),
            std::collections::hash_map::Entry::Vacant(slot) => drop(slot.insert(index)),
        }
    }
    twins
}

fn key_of(schema: SchemaOf<'_>, item: &Value) -> Value {
    let node = schema.node();
    if node.list_type != Some(ListType::Map) {
        return item.clone();
    }
    let below = node.items.map(|id| schema.at(id));
    let field = |name: &String| {
        let default = || {
            let below = below?;
            let id = below.node().properties.get(name)?;
            below.at(*id).node().default.clone()
        };
        item.get(name).cloned().or_else(default).unwrap_or_default()
    };
    node.list_keys.iter().map(field).collect()
}
