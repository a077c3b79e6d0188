//! Identity of a Kubernetes object.

use std::fmt;

use serde::Serialize;
use serde_json::Value;

/// What tells an object from every other in a cluster.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
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
        let text = |pointer: &str| {
            let value = manifest.pointer(pointer).and_then(Value::as_str).filter(|text| !text.is_empty());
            value
                .map(str::to_owned)
                .ok_or_else(|| format!("{} is missing or not text", pointer.trim_start_matches('/')))
        };
        let namespace = match manifest.pointer("/metadata/namespace") {
            None => None,
            Some(_) => Some(text("/metadata/namespace")?),
        };
        Ok(Self { api_version: text("/apiVersion")?, kind: text("/kind")?, namespace, name: text("/metadata/name")? })
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
