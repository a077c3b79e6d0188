//! Rules in CEL that schemas carry (`x-kubernetes-validations`).
//!
//! The API server fills in defaults first and gives texts of some formats types of their own; so do we. A rule about a
//! change (`oldSelf`) says nothing about a manifest alone and is left to the server.

use kube_cel::cel::Value as Cel;
use serde_json::Value;

use super::catalog::SchemaOf;
use super::fault::{Fault, FaultKind};
use super::node::{Node, Rule, Type};
use super::place::Place;
use crate::cel::{self, Compiled, Outcome, Roots};

/// The parts of a value that a rule reads; none if it cannot be compiled.
pub(super) fn reads(node: &Node, number: usize, value: &Value) -> Option<Value> {
    let rule = node.rules.get(number)?;
    let mut roots = Roots::new(&["self"]);
    compiled(rule).ok()?.reads(&mut roots);
    if let Some(message) = message(rule) {
        message.reads(&mut roots);
    }
    Some(roots.reads("self").of(value))
}

/// What a rule has to say about a value.
pub(super) fn check(schema: SchemaOf<'_>, number: usize, value: &Value, place: &Place) -> Option<Fault> {
    let rule = schema.node().rules.get(number)?;
    let compiled = match compiled(rule) {
        Ok(compiled) => compiled,
        Err(reason) => {
            let fault =
                Fault::new(place, FaultKind::NotCheckable, format!("a rule of its schema cannot be read: {reason}"));
            return Some(fault.expected(&*rule.rule));
        }
    };
    if compiled.names("oldSelf") && !rule.optional_old_self {
        return None;
    }
    let read = reads(schema.node(), number, value)?;
    let variables = [("self", typed(schema, &read))];
    match compiled.run(&variables) {
        Outcome::Value(Cel::Bool(true)) => None,
        Outcome::Value(Cel::Bool(false)) => Some(broken(rule, place, &variables)),
        Outcome::Value(_) | Outcome::Failed(_) => {
            let fault = Fault::new(place, FaultKind::Rule, "a rule of its schema cannot be evaluated with it");
            Some(fault.expected(&*rule.rule))
        }
        Outcome::Unsupported(reason) => {
            let fault =
                Fault::new(place, FaultKind::NotCheckable, format!("a rule of its schema was not evaluated: {reason}"));
            Some(fault.expected(&*rule.rule))
        }
    }
}

fn broken(rule: &Rule, place: &Place, variables: &[(&str, Cel)]) -> Fault {
    let told = message(rule).and_then(|message| match message.run(variables) {
        Outcome::Value(Cel::String(text)) => Some(text.as_str().to_owned()),
        _ => None,
    });
    let told = told.or_else(|| (!rule.message.is_empty()).then(|| rule.message.clone()));
    let told = told.unwrap_or_else(|| "a rule of its schema does not hold".into());
    Fault::new(place, FaultKind::Rule, told).expected(rule.rule.split_whitespace().collect::<Vec<_>>().join(" "))
}

fn compiled(rule: &Rule) -> Result<&Compiled, &str> {
    rule.compiled.get_or_init(|| Compiled::new(&rule.rule)).as_ref().map_err(String::as_str)
}

fn message(rule: &Rule) -> Option<Compiled> {
    (!rule.message_expression.is_empty()).then(|| Compiled::new(&rule.message_expression).ok()).flatten()
}

/// A value as rules of schemas see it.
fn typed(schema: SchemaOf<'_>, value: &Value) -> Cel {
    let node = schema.node();
    match value {
        Value::String(text) => typed_text(node, text),
        Value::Array(items) => {
            let item = |item: &Value| node.items.map_or_else(|| cel::plain(item), |id| typed(schema.at(id), item));
            Cel::List(std::sync::Arc::new(items.iter().map(item).collect()))
        }
        Value::Object(fields) => {
            let filled = node.properties.iter().filter(|(name, _)| !fields.contains_key(*name));
            let filled = filled.filter_map(|(name, id)| Some((name, schema.at(*id).node().default.as_ref()?)));
            let given = fields.iter().chain(filled);
            let entry = |(name, value): (&String, &Value)| match node.properties.get(name) {
                Some(id) => (cel::escaped(name), typed(schema.at(*id), value)),
                None => match node.additional_properties {
                    // Keys that an author chose are data and stay as they are.
                    Some(id) => (name.clone(), typed(schema.at(id), value)),
                    None => (cel::escaped(name), cel::plain(value)),
                },
            };
            cel::map(given.map(entry))
        }
        other => cel::plain(other),
    }
}

fn typed_text(node: &Node, text: &str) -> Cel {
    let text_itself = || cel::plain(&Value::String(text.to_owned()));
    if node.of != Some(Type::String) {
        return text_itself();
    }
    let convert = match node.format.as_deref() {
        Some("date-time") => "timestamp(text)",
        Some("duration") => "duration(text)",
        Some("byte") => "base64.decode(text)",
        _ => return text_itself(),
    };
    match Compiled::new(convert).map(|convert| convert.run(&[("text", text_itself())])) {
        Ok(Outcome::Value(value)) => value,
        _ => text_itself(),
    }
}
