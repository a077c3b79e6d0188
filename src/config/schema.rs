//! JSON Schemas of the config kinds, derived from their types, and what a value that breaks one is told.

use std::sync::LazyLock;

use jsonschema::error::{TypeKind, ValidationErrorKind};
use jsonschema::{ValidationError, Validator};
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

use super::types;
use crate::finding::Finding;

/// The kinds of config files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// `install.yaml`.
    Install,
    /// `tenants/<slug>.yaml`.
    Tenant,
    /// `compatibility.yaml`.
    Compatibility,
    /// `policies/rotation/*.yaml`.
    RotationPolicy,
    /// `policies/network-claims.yaml`.
    NetworkClaims,
    /// `policies/exemptions.yaml`.
    Exemptions,
}

/// Version of the config kinds.
pub const API_VERSION: &str = "tenantry.io/v1";

impl Kind {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Install, Self::Tenant, Self::Compatibility, Self::RotationPolicy, Self::NetworkClaims, Self::Exemptions];

    /// The word in `kind:`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Install => "Install",
            Self::Tenant => "Tenant",
            Self::Compatibility => "Compatibility",
            Self::RotationPolicy => "RotationPolicy",
            Self::NetworkClaims => "NetworkClaims",
            Self::Exemptions => "Exemptions",
        }
    }

    /// The JSON Schema (2020-12).
    pub fn schema(self) -> &'static Value {
        &self.compiled().0
    }

    fn compiled(self) -> &'static (Value, Option<Validator>) {
        static INSTALL: LazyLock<(Value, Option<Validator>)> =
            LazyLock::new(|| compile::<super::install::Install>(Kind::Install));
        static TENANT: LazyLock<(Value, Option<Validator>)> =
            LazyLock::new(|| compile::<super::tenant::Tenant>(Kind::Tenant));
        static COMPATIBILITY: LazyLock<(Value, Option<Validator>)> =
            LazyLock::new(|| compile::<super::compatibility::Compatibility>(Kind::Compatibility));
        static ROTATION: LazyLock<(Value, Option<Validator>)> =
            LazyLock::new(|| compile::<super::rotation::RotationPolicy>(Kind::RotationPolicy));
        static CLAIMS: LazyLock<(Value, Option<Validator>)> =
            LazyLock::new(|| compile::<crate::network::Claims>(Kind::NetworkClaims));
        static EXEMPTIONS: LazyLock<(Value, Option<Validator>)> =
            LazyLock::new(|| compile::<crate::exempt::Exemptions>(Kind::Exemptions));
        match self {
            Self::Install => &INSTALL,
            Self::Tenant => &TENANT,
            Self::Compatibility => &COMPATIBILITY,
            Self::RotationPolicy => &ROTATION,
            Self::NetworkClaims => &CLAIMS,
            Self::Exemptions => &EXEMPTIONS,
        }
    }

    /// Everything in which a value breaks the schema; the field's JSON pointer is in [`Finding::path`].
    pub fn validate(self, value: &Value) -> Vec<Finding> {
        match &self.compiled().1 {
            Some(validator) => validator.iter_errors(value).flat_map(|error| explain(&error, self.schema())).collect(),
            None => vec![Finding::error(
                "config/schema",
                crate::finding::Class::Incomplete,
                "the schema of this kind did not compile: nothing was checked",
            )],
        }
    }
}

fn compile<T: JsonSchema>(kind: Kind) -> (Value, Option<Validator>) {
    let schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<T>();
    let mut schema = schema.to_value();
    simplify(&mut schema);
    schema["title"] = json!(format!("tenantry {}", kind.as_str()));
    schema["properties"]["apiVersion"]["const"] = json!(API_VERSION);
    schema["properties"]["kind"]["const"] = json!(kind.as_str());
    let mut options = jsonschema::options().should_validate_formats(true);
    for format in types::FORMATS {
        options = options.with_format(format, move |text| matches!(types::check_format(format, text), Some(Ok(()))));
    }
    let validator = options.build(&schema).ok();
    (schema, validator)
}

/// Turns what a generator writes into what a person reads: closed words as `enum`, optional fields without `null`
/// (a key with nothing behind it counts as absent), no number formats of one programming language.
fn simplify(schema: &mut Value) {
    match schema {
        Value::Array(items) => items.iter_mut().for_each(simplify),
        Value::Object(map) => {
            map.values_mut().for_each(simplify);
            if let Some(words) = map.get("oneOf").and_then(closed_words) {
                map.remove("oneOf");
                map.insert("type".into(), json!("string"));
                map.insert("enum".into(), words.into());
            }
            if let Some(Value::Array(choices)) = map.get("anyOf")
                && let [only, null] = choices.as_slice()
                && null == &json!({"type": "null"})
                && let Value::Object(only) = only.clone()
            {
                map.remove("anyOf");
                map.extend(only);
            }
            if let Some(Value::Array(names)) = map.get("type") {
                let rest: Vec<Value> = names.iter().filter(|name| **name != json!("null")).cloned().collect();
                if let [only] = rest.as_slice() {
                    map.insert("type".into(), only.clone());
                }
            }
            if map.get("format").and_then(Value::as_str).is_some_and(|format| format.starts_with("uint")) {
                map.remove("format");
            }
            if map.get("default").is_some_and(Value::is_null) {
                map.remove("default");
            }
        }
        _ => {}
    }
}

fn closed_words(choices: &Value) -> Option<Vec<Value>> {
    let mut words = Vec::new();
    for choice in choices.as_array()? {
        match (choice.get("const"), choice.get("enum")) {
            (Some(word @ Value::String(_)), _) => words.push(word.clone()),
            (None, Some(Value::Array(more))) => words.extend(more.iter().cloned()),
            _ => return None,
        }
    }
    Some(words)
}

/// What a person is told about one error of the validator.
fn explain(error: &ValidationError<'_>, schema: &Value) -> Vec<Finding> {
    let path = error.instance_path().as_str().to_owned();
    let name = field_name(&path);
    let found = describe(error.instance());
    let finding = |rule, message: String| Finding::invalid(rule, message).path(path.clone());
    match error.kind() {
        ValidationErrorKind::AdditionalProperties { unexpected } => {
            let known = known_fields(schema, error.schema_path().as_str());
            unexpected.iter().map(|field| unknown_field(&path, field, &known)).collect()
        }
        ValidationErrorKind::Required { property } => {
            let field = property.as_str().unwrap_or_default();
            let place =
                if path.is_empty() { "the file".to_owned() } else { path.trim_start_matches('/').replace('/', ".") };
            vec![finding("config/missing-field", format!("{place} lacks `{field}`")).hint(format!("add `{field}:`"))]
        }
        ValidationErrorKind::Type { kind } => {
            let expected = match kind {
                TypeKind::Single(kind) => kind.to_string(),
                TypeKind::Multiple(kinds) => kinds.iter().map(|kind| kind.to_string()).collect::<Vec<_>>().join(" or "),
            };
            let mut one =
                finding("config/type", format!("`{name}` has the wrong type")).expected(&expected).found(&found);
            if expected == "string" && !matches!(error.instance().as_ref(), Value::Object(_) | Value::Array(_)) {
                one = one.hint(format!("quote it: {name}: \"{}\"", error.instance()));
            }
            vec![one]
        }
        ValidationErrorKind::Enum { options } => {
            let words: Vec<String> =
                options.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect();
            let mut one = finding("config/value", format!("`{name}` has a value that does not exist"))
                .expected(format!("one of {}", words.join(", ")))
                .found(&found);
            if let Some(near) = error.instance().as_str().and_then(|text| nearest(text, &words)) {
                one = one.hint(format!("did you mean `{near}`?"));
            }
            vec![one]
        }
        ValidationErrorKind::Format { format } => {
            let text = error.instance().as_str().unwrap_or_default();
            let expected = match types::check_format(format, text) {
                Some(Err(expected)) => expected,
                _ => format.clone(),
            };
            vec![finding("config/value", format!("`{name}` is not valid")).expected(expected).found(found)]
        }
        ValidationErrorKind::Constant { expected_value } => {
            let rule = if matches!(path.as_str(), "/apiVersion" | "/kind") { "config/header" } else { "config/value" };
            vec![
                finding(rule, format!("`{name}` is not what belongs into this file"))
                    .expected(describe(expected_value))
                    .found(found),
            ]
        }
        ValidationErrorKind::Pattern { pattern } => {
            vec![
                finding("config/value", format!("`{name}` is not valid"))
                    .expected(format!("text like {pattern}"))
                    .found(found),
            ]
        }
        ValidationErrorKind::Minimum { limit } => {
            vec![
                finding("config/value", format!("`{name}` is too small"))
                    .expected(format!("at least {limit}"))
                    .found(found),
            ]
        }
        ValidationErrorKind::Maximum { limit } => {
            vec![
                finding("config/value", format!("`{name}` is too large"))
                    .expected(format!("at most {limit}"))
                    .found(found),
            ]
        }
        ValidationErrorKind::MinItems { limit } => {
            vec![finding("config/value", format!("`{name}` has too few entries")).expected(format!("at least {limit}"))]
        }
        other => vec![finding("config/value", format!("`{name}` breaks the schema ({})", other.keyword()))],
    }
}

/// The field that a pointer names: `customerCIDRs[0]` for `/wazuhIngress/customerCIDRs/0`.
fn field_name(pointer: &str) -> String {
    let mut parts = pointer.rsplit('/');
    let last = parts.next().unwrap_or_default();
    match parts.next() {
        Some(list) if last.parse::<usize>().is_ok() => format!("{list}[{last}]"),
        _ => last.to_owned(),
    }
}

fn unknown_field(path: &str, field: &str, known: &[String]) -> Finding {
    let escaped = field.replace('~', "~0").replace('/', "~1");
    let finding =
        Finding::invalid("config/unknown-field", format!("unknown field `{field}`")).path(format!("{path}/{escaped}"));
    let finding = finding.expected(format!("one of {}", known.join(", ")));
    match nearest(field, known) {
        Some(near) => finding.hint(format!("did you mean `{near}`?")),
        None => finding.hint("remove it"),
    }
}

/// The fields that the object schema at `schema_path` (which ends in `/additionalProperties`) knows.
fn known_fields(schema: &Value, schema_path: &str) -> Vec<String> {
    let mut node = schema;
    for part in schema_path.trim_end_matches("/additionalProperties").split('/').skip(1) {
        while let Some(target) = node.get("$ref").and_then(Value::as_str) {
            node = schema.pointer(target.trim_start_matches('#')).unwrap_or(&Value::Null);
        }
        if part == "$ref" {
            continue;
        }
        let part = part.replace("~1", "/").replace("~0", "~");
        node = match node {
            Value::Array(items) => {
                part.parse::<usize>().ok().and_then(|index| items.get(index)).unwrap_or(&Value::Null)
            }
            other => other.get(&part).unwrap_or(&Value::Null),
        };
    }
    while let Some(target) = node.get("$ref").and_then(Value::as_str) {
        node = schema.pointer(target.trim_start_matches('#')).unwrap_or(&Value::Null);
    }
    node.get("properties").and_then(Value::as_object).map(|map| map.keys().cloned().collect()).unwrap_or_default()
}

/// A value as a message shows it: short, and never more than its kind for collections.
fn describe(value: &Value) -> String {
    match value {
        Value::String(text) if text.chars().count() > 60 => format!("a text of {} characters", text.chars().count()),
        Value::Object(_) => "a mapping".into(),
        Value::Array(_) => "a list".into(),
        other => other.to_string(),
    }
}

/// The known word that a person most likely meant.
pub fn nearest<'a>(word: &str, known: &'a [String]) -> Option<&'a str> {
    let folded = |text: &str| text.to_lowercase().replace(['-', '_'], "");
    let word = folded(word);
    known
        .iter()
        .map(|candidate| (distance(&word, &folded(candidate)), candidate.as_str()))
        .filter(|(distance, candidate)| *distance <= 1 + candidate.len() / 4)
        .min()
        .map(|(_, candidate)| candidate)
}

/// Levenshtein distance.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, left) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, right) in b.iter().enumerate() {
            let cost = diagonal + usize::from(left != *right);
            diagonal = row[j + 1];
            row[j + 1] = cost.min(row[j] + 1).min(row[j + 1] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_schema_compiles_and_says_what_it_is() {
        for kind in Kind::ALL {
            assert!(kind.compiled().1.is_some(), "{kind:?}");
            let text = kind.schema().to_string();
            assert!(!text.contains("\"null\""), "{kind:?} {text}");
            assert!(!text.contains("uint"), "{kind:?}");
        }
    }

    #[test]
    fn finds_the_word_that_was_meant() {
        let known = ["baseUrl", "model", "provider"].map(str::to_owned);
        for (word, meant) in
            [("baseurl", Some("baseUrl")), ("base_url", Some("baseUrl")), ("modle", Some("model")), ("x", None)]
        {
            assert_eq!(nearest(word, &known), meant, "{word}");
        }
    }
}
