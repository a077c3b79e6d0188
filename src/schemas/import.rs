//! Makes a bundle from CustomResourceDefinitions and the OpenAPI documents of an API server.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::{Map, Value};

use super::bundle::{self, KindEntry};
use super::catalog::KIND_OF_METADATA;
use super::intern::Interner;
use super::openapi;

/// `apiVersion` of the definitions that are read.
pub const CRD_API_VERSION: &str = "apiextensions.k8s.io/v1";

/// A bundle in the making.
#[derive(Debug, Default)]
pub struct Import {
    sources: BTreeSet<String>,
    kinds: BTreeMap<(String, String), (Entry, Value)>,
    only: Option<BTreeSet<(String, String)>>,
}

#[derive(Debug)]
struct Entry {
    plural: String,
    namespaced: bool,
    custom: bool,
}

/// Why something cannot become part of a bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportError(String);

impl fmt::Display for ImportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ImportError {}

impl Import {
    /// Takes only these kinds (API version, kind); without this, everything that is given.
    #[must_use]
    pub fn only(mut self, kinds: impl IntoIterator<Item = (String, String)>) -> Self {
        self.only.get_or_insert_default().extend(kinds);
        self
    }

    /// Records what the schemas come from.
    pub fn source(&mut self, text: impl Into<String>) {
        self.sources.insert(text.into());
    }

    fn wants(&self, api_version: &str, kind: &str) -> bool {
        self.only.as_ref().is_none_or(|only| only.contains(&(api_version.to_owned(), kind.to_owned())))
    }

    /// Takes the served versions of a CustomResourceDefinition; tells how many.
    ///
    /// # Errors
    /// It is no definition, or a version has no structural schema.
    pub fn definition(&mut self, crd: &Value) -> Result<usize, ImportError> {
        let fault = |what: &str| {
            let name = crd.pointer("/metadata/name").and_then(Value::as_str).unwrap_or("(without a name)");
            ImportError(format!("the definition {name} {what}"))
        };
        if crd["apiVersion"] != CRD_API_VERSION || crd["kind"] != "CustomResourceDefinition" {
            return Err(ImportError(format!("it is no CustomResourceDefinition of {CRD_API_VERSION}")));
        }
        let text = |pointer: &str| crd.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        let group = text("/spec/group").ok_or_else(|| fault("has no group"))?;
        let kind = text("/spec/names/kind").ok_or_else(|| fault("has no kind"))?;
        let plural = text("/spec/names/plural").ok_or_else(|| fault("has no plural"))?;
        let namespaced = text("/spec/scope").as_deref() == Some("Namespaced");
        let mut taken = 0;
        for version in crd.pointer("/spec/versions").and_then(Value::as_array).into_iter().flatten() {
            let api_version = format!("{group}/{}", version["name"].as_str().unwrap_or_default());
            if version["served"] != true || !self.wants(&api_version, &kind) {
                continue;
            }
            let schema = version.pointer("/schema/openAPIV3Schema").ok_or_else(|| fault("has no schema"))?;
            let entry = Entry { plural: plural.clone(), namespaced, custom: true };
            self.kinds.insert((api_version, kind.clone()), (entry, root(schema)));
            taken += 1;
        }
        Ok(taken)
    }

    /// Takes kinds (API version, kind) out of an OpenAPI v3 document; tells how many it describes.
    ///
    /// # Errors
    /// The document names what it does not describe.
    pub fn document(&mut self, document: &Value, kinds: &[(&str, &str)]) -> Result<usize, ImportError> {
        let mut taken = 0;
        for (api_version, kind) in kinds {
            if !self.wants(api_version, kind) {
                continue;
            }
            let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
            let found = openapi::kind(document, group, version, kind).map_err(ImportError)?;
            let Some(found) = found else { continue };
            let entry = Entry { plural: found.plural, namespaced: found.namespaced, custom: false };
            self.kinds.insert(((*api_version).to_owned(), (*kind).to_owned()), (entry, root(&found.schema)));
            taken += 1;
        }
        if let Some(meta) = openapi::object_meta(document).map_err(ImportError)?
            && self.wants(KIND_OF_METADATA.0, KIND_OF_METADATA.1)
        {
            let entry = Entry { plural: String::new(), namespaced: false, custom: false };
            self.kinds.insert((KIND_OF_METADATA.0.into(), KIND_OF_METADATA.1.into()), (entry, meta));
        }
        Ok(taken)
    }

    /// The kinds that were asked for and not found.
    pub fn missing(&self) -> Vec<String> {
        let wanted = self.only.iter().flatten().filter(|kind| !self.kinds.contains_key(kind));
        wanted.map(|(api_version, kind)| format!("{api_version}/{kind}")).collect()
    }

    /// How many kinds it has.
    pub fn len(&self) -> usize {
        self.kinds.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.kinds.is_empty()
    }

    /// The text of the bundle. Equal inputs give equal bytes.
    ///
    /// # Errors
    /// A schema uses a keyword that is not understood.
    pub fn text(&self) -> Result<String, ImportError> {
        let mut interner = Interner::default();
        let mut kinds = Vec::new();
        for ((api_version, kind), (entry, schema)) in &self.kinds {
            let number =
                interner.add(schema).map_err(|reason| ImportError(format!("{api_version}/{kind}: {reason}")))?;
            kinds.push(KindEntry {
                api_version: api_version.clone(),
                kind: kind.clone(),
                plural: entry.plural.clone(),
                namespaced: entry.namespaced,
                custom: entry.custom,
                schema: number,
            });
        }
        let sources: Vec<String> = self.sources.iter().cloned().collect();
        Ok(bundle::text(&sources, &kinds, interner.lines()))
    }
}

/// The schema of a whole object without what every object has: `apiVersion`, `kind`, and `metadata` unless it says more
/// of it than that it is there.
fn root(schema: &Value) -> Value {
    let mut schema = schema.clone();
    if let Some(fields) = schema.get_mut("properties").and_then(Value::as_object_mut) {
        fields.remove("apiVersion");
        fields.remove("kind");
        if fields.get("metadata").is_some_and(is_plain) {
            fields.remove("metadata");
        }
    }
    if let Some(required) = schema.get_mut("required").and_then(Value::as_array_mut) {
        required.retain(|name| !["apiVersion", "kind", "metadata"].iter().any(|every| name == every));
    }
    schema
}

/// Whether a schema of `metadata` says nothing of its own: the built-in one, or that of most definitions.
fn is_plain(metadata: &Value) -> bool {
    let empty = Map::new();
    let fields = metadata.get("properties").and_then(Value::as_object).unwrap_or(&empty);
    fields
        .values()
        .all(|field| !["pattern", "maxLength", "minLength", "enum"].iter().any(|word| field.get(word).is_some()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::schemas::Bundle;

    fn definition(schema: &Value) -> Value {
        json!({"apiVersion": CRD_API_VERSION, "kind": "CustomResourceDefinition", "metadata": {"name": "as.example.io"},
            "spec": {"group": "example.io", "scope": "Namespaced", "names": {"kind": "A", "plural": "as"},
                "versions": [{"name": "v1", "served": true, "schema": {"openAPIV3Schema": schema}},
                    {"name": "v0", "served": false}]}})
    }

    #[test]
    fn equal_parts_are_there_once_and_nothing_but_served_versions() {
        let part = json!({"type": "string", "description": "x", "maxLength": 3});
        let schema = json!({"type": "object", "properties": {"a": part, "b": part, "kind": part}});
        let mut import = Import::default();
        assert_eq!(import.definition(&definition(&schema)), Ok(1));
        import.source("example 1.0");
        let bundle = Bundle::parse(&import.text().unwrap()).unwrap();
        assert_eq!((bundle.kinds.len(), bundle.nodes.len()), (1, 2));
        assert_eq!(bundle.sources, ["example 1.0"]);
        assert!(!import.text().unwrap().contains("description"));
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        let mut import = Import::default();
        import.definition(&definition(&json!({"type": "object", "if": {}}))).unwrap();
        assert!(import.text().unwrap_err().to_string().contains("keyword if"));
        assert!(Import::default().definition(&json!({"kind": "Pod"})).is_err());
    }

    #[test]
    fn kinds_that_are_asked_for_and_missing_are_named() {
        let mut import = Import::default().only([("example.io/v1".to_owned(), "B".to_owned())]);
        assert_eq!(import.definition(&definition(&json!({"type": "object"}))), Ok(0));
        assert_eq!(import.missing(), ["example.io/v1/B"]);
    }

    #[test]
    fn references_are_replaced_and_cycles_refused() {
        let paths = json!({"/apis/apps/v1/namespaces/{namespace}/deployments/{name}": {"get":
            {"x-kubernetes-group-version-kind": {"group": "apps", "version": "v1", "kind": "Deployment"}}}});
        let document = |inner: Value| {
            json!({"paths": paths, "components": {"schemas": {
                "Deployment": {"type": "object", "x-kubernetes-group-version-kind":
                    [{"group": "apps", "version": "v1", "kind": "Deployment"}],
                    "properties": {"spec": {"default": {}, "allOf": [{"$ref": "#/components/schemas/Spec"}]}}},
                "Spec": inner}}})
        };
        let kinds = [("apps/v1", "Deployment")];
        let mut import = Import::default();
        let spec = json!({"type": "object", "properties": {"paused": {"type": "boolean", "default": false}}});
        assert_eq!(import.document(&document(spec), &kinds), Ok(1));
        let bundle = Bundle::parse(&import.text().unwrap()).unwrap();
        assert_eq!((bundle.kinds[0].plural.as_str(), bundle.kinds[0].namespaced), ("deployments", true));
        let cycle = json!({"type": "object", "properties": {"again": {"$ref": "#/components/schemas/Spec"}}});
        assert!(
            Import::default().document(&document(cycle), &kinds).unwrap_err().to_string().contains("contains itself")
        );
    }
}
