//! What a cluster says of its kinds: OpenAPI v3 documents of the built-in ones, definitions of the custom ones.

use std::collections::BTreeSet;

use serde_json::Value;

use super::api::{Api, ApiError, Verb};
use crate::error::{Error, Result};

/// How a cluster describes its kinds.
#[derive(Debug, Clone, Default)]
pub struct Described {
    /// `v1.36.3`.
    pub version: String,
    /// OpenAPI v3 documents, one a group and version.
    pub documents: Vec<Value>,
    /// CustomResourceDefinitions.
    pub definitions: Vec<Value>,
}

/// Asks for the documents of these kinds (API version, kind), and for all definitions if they are wanted.
///
/// # Errors
/// A cluster that cannot be reached, does not let us ask, or does not describe a version.
pub async fn describe(api: &Api, kinds: &[(&str, &str)], definitions: bool) -> Result<Described> {
    let version = json(api, "/version").await?;
    let mut described =
        Described { version: version["gitVersion"].as_str().unwrap_or("unknown").to_owned(), ..Described::default() };
    let index = json(api, "/openapi/v3").await?;
    let versions: BTreeSet<&str> = kinds.iter().map(|(version, _)| *version).collect();
    for version in versions {
        let name = if version.contains('/') { format!("apis/{version}") } else { format!("api/{version}") };
        let path = index.get("paths").and_then(|paths| paths.get(&name)?.get("serverRelativeURL")?.as_str());
        let path = path.ok_or_else(|| {
            Error::environment(format!("the cluster does not describe {version}"))
                .hint("is it older than this version?")
        })?;
        described.documents.push(json(api, path).await?);
    }
    if definitions {
        let mut list = json(api, "/apis/apiextensions.k8s.io/v1/customresourcedefinitions").await?;
        let items = list.get_mut("items").map(Value::take).unwrap_or_default();
        described.definitions = items.as_array().into_iter().flatten().map(named).collect();
    }
    Ok(described)
}

/// Items of a list do not say what they are.
fn named(item: &Value) -> Value {
    let mut item = item.clone();
    item["apiVersion"] = "apiextensions.k8s.io/v1".into();
    item["kind"] = "CustomResourceDefinition".into();
    item
}

async fn json(api: &Api, path: &str) -> Result<Value> {
    let refused = |error: ApiError| {
        let plain = path.split('?').next().unwrap_or_default();
        Error::environment(format!("cannot read {plain} of the cluster")).cause(error)
    };
    let body = api.get(Verb::Get, path).await.map_err(refused)?;
    serde_json::from_slice(&body)
        .map_err(|error| Error::environment(format!("{path} of the cluster is no JSON")).cause(error))
}
