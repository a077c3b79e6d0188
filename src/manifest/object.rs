//! Identity of a Kubernetes object.

use std::fmt;

use serde::Serialize;
use serde_json::Value;

/// What tells an object from every other in a cluster.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ObjectId {
    /// `apps/v1`.
    pub api_version: String,
    /// `Deployment`.
    pub kind: String,
    /// Namespace; none for objects of the cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Name.
    pub name: String,
}

impl ObjectId {
    /// An object in a namespace.
    pub fn namespaced(api_version: &str, kind: &str, namespace: &str, name: impl Into<String>) -> Self {
        Self {
            api_version: api_version.into(),
            kind: kind.into(),
            namespace: Some(namespace.into()),
            name: name.into(),
        }
    }

    /// An object of the cluster.
    pub fn cluster(api_version: &str, kind: &str, name: impl Into<String>) -> Self {
        Self { api_version: api_version.into(), kind: kind.into(), namespace: None, name: name.into() }
    }

    /// Reads the identity from a manifest.
    ///
    /// # Errors
    /// The field that is missing or not text.
    pub fn of(manifest: &Value) -> Result<Self, String> {
        IdRef::of(manifest).map(Self::from)
    }

    /// The identity, borrowed.
    pub fn borrowed(&self) -> IdRef<'_> {
        IdRef {
            api_version: &self.api_version,
            kind: &self.kind,
            namespace: self.namespace.as_deref(),
            name: &self.name,
        }
    }
}

/// An [`ObjectId`] that borrows its parts: large fleets have a million objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IdRef<'a> {
    /// `apps/v1`.
    pub api_version: &'a str,
    /// `Deployment`.
    pub kind: &'a str,
    /// Namespace; none for objects of the cluster.
    pub namespace: Option<&'a str>,
    /// Name.
    pub name: &'a str,
}

impl<'a> IdRef<'a> {
    /// Reads the identity from a manifest.
    ///
    /// # Errors
    /// The field that is missing or not text.
    pub fn of(manifest: &'a Value) -> Result<Self, String> {
        let metadata = manifest.get("metadata");
        let namespace = metadata.and_then(|metadata| metadata.get("namespace"));
        Ok(Self {
            api_version: text(manifest.get("apiVersion"), "apiVersion")?,
            kind: text(manifest.get("kind"), "kind")?,
            namespace: namespace.map(|value| text(Some(value), "metadata/namespace")).transpose()?,
            name: text(metadata.and_then(|metadata| metadata.get("name")), "metadata/name")?,
        })
    }
}

/// The text of a part of an identity.
///
/// # Errors
/// It is missing, empty, or not text.
pub fn text<'a>(value: Option<&'a Value>, field: &str) -> Result<&'a str, String> {
    let text = value.and_then(Value::as_str).filter(|text| !text.is_empty());
    text.ok_or_else(|| format!("{field} is missing or not text"))
}

impl From<IdRef<'_>> for ObjectId {
    fn from(id: IdRef<'_>) -> Self {
        Self {
            api_version: id.api_version.to_owned(),
            kind: id.kind.to_owned(),
            namespace: id.namespace.map(str::to_owned),
            name: id.name.to_owned(),
        }
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(f, "{} {namespace}/{}", self.kind, self.name),
            None => write!(f, "{} {}", self.kind, self.name),
        }
    }
}
