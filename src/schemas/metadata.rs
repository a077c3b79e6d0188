//! What the API server asks of `metadata` of every kind, beyond its schema: a name, and well-formed names and values of
//! labels and annotations.

use serde_json::Value;

use super::fault::{Fault, FaultKind};
use super::place::Place;

/// Longest name or value of a label, and longest prefix, in bytes.
const LONGEST: (usize, usize) = (63, 253);

/// A mapping of `metadata` with rules of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Names {
    /// Names and values are short words.
    Labels,
    /// Names are, values are anything.
    Annotations,
}

/// The mappings of `metadata` that have rules of their own.
pub(super) const NAMES: [(&str, Names); 2] = [("labels", Names::Labels), ("annotations", Names::Annotations)];

/// Whether `metadata` names its object.
pub(super) fn names_its_object(metadata: &Value) -> bool {
    let named = |name: &str| metadata.get(name).and_then(Value::as_str).is_some_and(|text| !text.is_empty());
    named("name") || named("generateName")
}

/// Everything that is wrong with a mapping of labels or annotations.
pub(super) fn check(names: Names, map: &Value, place: &Place, faults: &mut Vec<Fault>) {
    for (key, value) in map.as_object().into_iter().flatten() {
        key_and_value(names, key, Some(value), &place.field(key), faults);
    }
}

/// Everything that is wrong with one of them; no value, if it is not known yet.
pub(super) fn key_and_value(names: Names, key: &str, value: Option<&Value>, place: &Place, faults: &mut Vec<Fault>) {
    if !is_qualified_name(key, names == Names::Annotations) {
        let expected = "at most 63 letters, digits, - _ . with an optional prefix such as example.com/";
        faults.push(Fault::new(place, FaultKind::Value, "the API server takes no such name").expected(expected));
    }
    value.into_iter().for_each(|value| label_value(names, value, place, faults));
}

/// What is wrong with the value of a label.
pub(super) fn label_value(names: Names, value: &Value, place: &Place, faults: &mut Vec<Fault>) {
    if names == Names::Labels && value.as_str().is_some_and(|value| !is_label_value(value)) {
        let expected = "at most 63 letters, digits, - _ . that begin and end with a letter or digit, or nothing";
        let fault = Fault::new(place, FaultKind::Value, "it is no value of a label").expected(expected);
        faults.push(fault.found(super::scalar::shown(place, value)));
    }
}

/// Annotations are compared in lower case.
fn is_qualified_name(key: &str, lowered: bool) -> bool {
    let (prefix, name) = match key.split_once('/') {
        Some((prefix, name)) => (Some(prefix), name),
        None => (None, key),
    };
    let prefix = prefix.map(|prefix| if lowered { prefix.to_ascii_lowercase() } else { prefix.to_owned() });
    prefix.is_none_or(|prefix| is_domain(&prefix)) && name.len() <= LONGEST.0 && is_word(name)
}

fn is_label_value(value: &str) -> bool {
    value.is_empty() || (value.len() <= LONGEST.0 && is_word(value))
}

fn is_word(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let ends = [text.bytes().next(), text.bytes().next_back()];
    ends.into_iter().all(|end| end.is_some_and(|byte| byte.is_ascii_alphanumeric())) && text.bytes().all(inner)
}

fn is_domain(text: &str) -> bool {
    let lower = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let is_part = |part: &str| {
        let ends = [part.bytes().next(), part.bytes().next_back()];
        ends.into_iter().all(|end| end.is_some_and(lower)) && part.bytes().all(|byte| lower(byte) || byte == b'-')
    };
    text.len() <= LONGEST.1 && text.split('.').all(is_part)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn labels_and_annotations_are_well_formed() {
        let faults = |metadata: Value| {
            let mut faults = Vec::new();
            for (name, names) in NAMES {
                check(names, &metadata[name], &Place::default(), &mut faults);
            }
            faults.len() + usize::from(!names_its_object(&metadata))
        };
        let long = "x".repeat(64);
        assert_eq!(
            faults(json!({"name": "a", "labels": {"a.io/b": "c_d", "e": ""}, "annotations": {"A.io/b": "any thing"}})),
            0
        );
        assert_eq!(faults(json!({"generateName": "a-"})), 0);
        for wrong in [
            json!({"labels": {}}),
            json!({"name": "a", "labels": {"a": "b c"}}),
            json!({"name": "a", "labels": {"a": long}}),
            json!({"name": "a", "labels": {"a/b/c": "d"}}),
            json!({"name": "a", "labels": {"A.io/b": "c"}}),
            json!({"name": "a", "annotations": {"-a": "c"}}),
        ] {
            assert_eq!(faults(wrong.clone()), 1, "{wrong}");
        }
    }
}
