//! What a schema says about a value by itself: type, choices, pattern, format, range, length.

use serde_json::{Number, Value};

use super::fault::{Fault, FaultKind};
use super::format::{self, Verdict};
use super::node::{Node, Type};
use super::place::{Place, Step};
use crate::secrets::leak;

/// Longest value that a finding shows, in characters.
const SHOWN: usize = 60;

/// Whether nothing at all can be wrong with a value: most values of tenants.
pub(super) fn is_plainly_right(node: &Node, value: &Value) -> bool {
    let is_bare = node.pattern.is_none()
        && node.format.is_none()
        && node.choices.is_empty()
        && node.min_length.is_none()
        && node.max_length.is_none()
        && node.rules.is_empty()
        && !node.has_junctors();
    is_bare
        && match (node.of, value) {
            (Some(Type::String), Value::String(_)) | (Some(Type::Boolean), Value::Bool(_)) => true,
            (Some(Type::Integer), Value::Number(number)) => {
                number.is_i64() && node.minimum.is_none() && node.maximum.is_none() && node.multiple_of.is_none()
            }
            _ => false,
        }
}

/// Whether a value has the type of the schema.
pub(super) fn type_holds(node: &Node, value: &Value) -> bool {
    if node.quantity {
        return value.is_string() || value.is_number();
    }
    if node.int_or_string {
        return value.is_string() || is_whole(value);
    }
    match node.of {
        None => true,
        Some(Type::Object) => value.is_object(),
        Some(Type::Array) => value.is_array(),
        Some(Type::String) => value.is_string(),
        Some(Type::Boolean) => value.is_boolean(),
        Some(Type::Number) => value.is_number(),
        Some(Type::Integer) => is_whole(value),
    }
}

fn is_whole(value: &Value) -> bool {
    value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|number| number.fract() == 0.0)
}

/// What a schema wants, in a few words.
pub(super) fn wanted(node: &Node) -> &'static str {
    match node.of {
        _ if node.quantity => "a quantity such as 500m or 8Gi",
        _ if node.int_or_string => "a whole number or text",
        Some(of) => of.name(),
        None if node.preserve => "any value",
        None => "a value",
    }
}

/// The type of a value in words.
pub(super) fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "true or false",
        Value::Number(number) if number.is_f64() => "a number with a fraction",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a mapping",
    }
}

/// A value as a finding shows it: short, and nothing that could be a secret.
pub(super) fn shown(place: &Place, value: &Value) -> Option<String> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Array(_) | Value::Object(_) | Value::Null => return None,
        other => other.to_string(),
    };
    let is_secret = |step: &Step| match step {
        Step::Field(name) => {
            let name = name.to_ascii_lowercase();
            ["password", "secret", "token", "key", "credential"].iter().any(|word| name.contains(word))
        }
        Step::Item(_) => false,
    };
    let hidden = place.steps().iter().any(is_secret) || !leak::find(&text).is_empty();
    let long = text.chars().count() > SHOWN;
    (!hidden && !long).then_some(text)
}

/// Everything that is wrong with a value of the right type.
pub(super) fn check(node: &Node, value: &Value, place: &Place, faults: &mut Vec<Fault>) {
    let mut fault = |message: &str, expected: String| {
        let fault = Fault::new(place, FaultKind::Value, message).expected(expected);
        faults.push(fault.found(shown(place, value)));
    };
    if !node.choices.is_empty() && !node.choices.contains(value) {
        let choices: Vec<String> = node.choices.iter().map(choice).collect();
        fault("not one of the values that are allowed", format!("one of {}", choices.join(", ")));
    }
    match value {
        Value::String(text) => check_text(node, text, place, faults),
        Value::Number(number) => check_number(node, number, place, faults),
        Value::Array(items) => count(items.len(), node.min_items, node.max_items, "items", &mut fault),
        Value::Object(fields) => count(fields.len(), node.min_properties, node.max_properties, "fields", &mut fault),
        _ => {}
    }
}

fn choice(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), |text| if text.is_empty() { "\"\"".into() } else { text.into() })
}

fn count(found: usize, least: Option<u64>, most: Option<u64>, what: &str, fault: &mut impl FnMut(&str, String)) {
    let found = found as u64;
    if least.is_some_and(|least| found < least) {
        fault("too few", format!("at least {} {what}", least.unwrap_or_default()));
    }
    if most.is_some_and(|most| found > most) {
        fault("too many", format!("at most {} {what}", most.unwrap_or_default()));
    }
}

fn check_text(node: &Node, text: &str, place: &Place, faults: &mut Vec<Fault>) {
    let value = Value::String(text.to_owned());
    let mut fault = |kind: FaultKind, message: &str, expected: String| {
        faults.push(Fault::new(place, kind, message).expected(expected).found(shown(place, &value)));
    };
    if node.quantity && !format::is_quantity(text) {
        fault(FaultKind::Value, "not a quantity", wanted(node).to_owned());
    }
    if let Some(pattern) = &node.pattern {
        match pattern.matches(text) {
            Some(true) => {}
            Some(false) => {
                fault(
                    FaultKind::Value,
                    "it does not match the pattern of its field",
                    format!("a match of {}", pattern.text()),
                );
            }
            None => fault(
                FaultKind::NotCheckable,
                "the pattern of its field cannot be read here",
                pattern.text().to_owned(),
            ),
        }
    }
    if node.of == Some(Type::String)
        && let Some(name) = &node.format
    {
        match format::text(name, text) {
            Verdict::Holds => {}
            Verdict::Fails => fault(FaultKind::Value, "it does not have the format of its field", format!("a {name}")),
            Verdict::Unknown => {
                fault(FaultKind::NotCheckable, "its format cannot be checked here", format!("a {name}"))
            }
        }
    }
    if node.min_length.is_some() || node.max_length.is_some() {
        let length = text.chars().count() as u64;
        if node.min_length.is_some_and(|least| length < least) {
            fault(
                FaultKind::Value,
                "too short",
                format!("at least {} characters", node.min_length.unwrap_or_default()),
            );
        }
        if node.max_length.is_some_and(|most| length > most) {
            fault(FaultKind::Value, "too long", format!("at most {} characters", node.max_length.unwrap_or_default()));
        }
    }
}

fn check_number(node: &Node, number: &Number, place: &Place, faults: &mut Vec<Fault>) {
    let mut fault = |message: &str, expected: String| {
        faults.push(Fault::new(place, FaultKind::Value, message).expected(expected).found(Some(number.to_string())));
    };
    let value = number.as_f64().unwrap_or(f64::NAN);
    let bound = |bound: &Option<Number>| bound.as_ref().and_then(Number::as_f64);
    if let Some(least) = bound(&node.minimum)
        && (value < least || (node.exclusive_minimum && value == least))
    {
        fault("too small", format!("{} {least}", if node.exclusive_minimum { "more than" } else { "at least" }));
    }
    if let Some(most) = bound(&node.maximum)
        && (value > most || (node.exclusive_maximum && value == most))
    {
        fault("too great", format!("{} {most}", if node.exclusive_maximum { "less than" } else { "at most" }));
    }
    if let Some(step) = bound(&node.multiple_of)
        && (value / step).fract() != 0.0
    {
        fault("not a multiple", format!("a multiple of {step}"));
    }
    let range = node.format.as_deref().or(node.int_or_string.then_some("int32")).and_then(format::range);
    if let Some((least, most)) = range
        && number.as_i64().is_none_or(|number| number < least || number > most)
        && (number.is_i64() || number.is_u64())
    {
        fault("it does not fit into its field", format!("{least} to {most}"));
    }
}
