//! Schemas of built-in kinds from the OpenAPI v3 documents of an API server.

use serde_json::{Map, Value, json};

/// A built-in kind as a document describes it.
#[derive(Debug)]
pub(super) struct Described {
    pub plural: String,
    pub namespaced: bool,
    pub schema: Value,
}

/// Name of the schema of `metadata`.
pub(super) const OBJECT_META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";

/// Types that Go reads in a way of its own, which the document does not tell.
const OWN: [(&str, &str); 7] = [
    ("io.k8s.apimachinery.pkg.api.resource.Quantity", r#"{"x-quantity":true}"#),
    ("io.k8s.apimachinery.pkg.util.intstr.IntOrString", r#"{"x-kubernetes-int-or-string":true}"#),
    (
        "io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1",
        r#"{"type":"object","x-kubernetes-preserve-unknown-fields":true}"#,
    ),
    (
        "io.k8s.apimachinery.pkg.runtime.RawExtension",
        r#"{"type":"object","x-kubernetes-preserve-unknown-fields":true}"#,
    ),
    ("io.k8s.apimachinery.pkg.apis.meta.v1.Patch", r#"{"type":"object"}"#),
    ("io.k8s.apimachinery.pkg.apis.meta.v1.Time", r#"{"type":"string","format":"date-time"}"#),
    ("io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime", r#"{"type":"string","format":"date-time"}"#),
];

/// The kind in a document, without references; none if the document does not describe it.
///
/// # Errors
/// A schema that contains itself, or a reference to nothing.
pub(super) fn kind(document: &Value, group: &str, version: &str, kind: &str) -> Result<Option<Described>, String> {
    let Some((plural, namespaced)) = resource(document, group, version, kind) else { return Ok(None) };
    let schemas = document.pointer("/components/schemas").and_then(Value::as_object);
    let is_it = |schema: &&Value| {
        let known = schema.get("x-kubernetes-group-version-kind").and_then(Value::as_array).into_iter().flatten();
        known.into_iter().any(|known| known["group"] == group && known["version"] == version && known["kind"] == kind)
    };
    let Some(schema) = schemas.and_then(|schemas| schemas.values().find(is_it)) else { return Ok(None) };
    let schema = resolved(document, schema, &mut Vec::new())?;
    Ok(Some(Described { plural, namespaced, schema }))
}

/// The schema of `metadata` in a document.
///
/// # Errors
/// As for [`kind`].
pub(super) fn object_meta(document: &Value) -> Result<Option<Value>, String> {
    let found = document.pointer("/components/schemas").and_then(|schemas| schemas.get(OBJECT_META));
    found.map(|schema| resolved(document, schema, &mut Vec::new())).transpose()
}

/// Name in URLs, and whether objects live in namespaces: told by the paths of single objects.
fn resource(document: &Value, group: &str, version: &str, kind: &str) -> Option<(String, bool)> {
    let paths = document.get("paths")?.as_object()?;
    paths.iter().find_map(|(path, item)| {
        let own = item.pointer("/get/x-kubernetes-group-version-kind")?;
        let is_it = own["group"] == group && own["version"] == version && own["kind"] == kind;
        let plural = path.strip_suffix("/{name}")?.rsplit('/').next()?;
        let watch = path.contains("/watch/");
        (is_it && !watch).then(|| (plural.to_owned(), path.contains("/namespaces/{namespace}/")))
    })
}

/// The schema with every reference replaced by what it names.
fn resolved(document: &Value, schema: &Value, above: &mut Vec<String>) -> Result<Value, String> {
    let Value::Object(schema) = schema else { return Ok(schema.clone()) };
    let mut out = Map::new();
    for (keyword, value) in schema {
        match keyword.as_str() {
            "$ref" => merge(&mut out, named(document, value, above)?),
            // A reference beside other keywords is written as a list of one.
            "allOf" if value.as_array().is_some_and(|items| items.len() == 1) => {
                merge(&mut out, resolved(document, &value[0], above)?);
            }
            "properties" => {
                let fields: Result<Map<String, Value>, String> = value
                    .as_object()
                    .into_iter()
                    .flatten()
                    .map(|(name, schema)| Ok((name.clone(), resolved(document, schema, above)?)))
                    .collect();
                out.insert(keyword.clone(), fields?.into());
            }
            "items" | "additionalProperties" | "not" => {
                out.insert(keyword.clone(), resolved(document, value, above)?);
            }
            // What Go has where nothing is given is no default of the API server.
            "default" if [json!({}), json!(""), json!(0), json!(false), json!([])].contains(value) => {}
            _ => drop(out.insert(keyword.clone(), value.clone())),
        }
    }
    if out.get("format").is_some_and(|format| format == "int-or-string") {
        return Ok(json!({"x-kubernetes-int-or-string": true}));
    }
    Ok(out.into())
}

fn named(document: &Value, reference: &Value, above: &mut Vec<String>) -> Result<Value, String> {
    let name = reference.as_str().and_then(|text| text.rsplit('/').next()).unwrap_or_default();
    if let Some((_, own)) = OWN.iter().find(|(known, _)| *known == name) {
        return serde_json::from_str(own).map_err(|error| error.to_string());
    }
    if above.iter().any(|one| one == name) {
        return Err(format!("{name} contains itself"));
    }
    let schema = document.pointer("/components/schemas").and_then(|schemas| schemas.get(name));
    let schema = schema.ok_or_else(|| format!("{name} is named and not described"))?;
    above.push(name.to_owned());
    let schema = resolved(document, schema, above);
    above.pop();
    schema
}

/// Keywords beside a reference go before those of what it names.
fn merge(out: &mut Map<String, Value>, other: Value) {
    if let Value::Object(other) = other {
        for (keyword, value) in other {
            out.entry(keyword).or_insert(value);
        }
    }
}
