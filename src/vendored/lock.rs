//! `Chart.lock`: what Helm resolved the dependencies of `Chart.yaml` to, and the digest that ties the two together.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::manifest::Digest;

/// A dependency, with the fields that Helm knows, in Helm's order: the digest is that of their JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dependency {
    /// Name of the chart.
    pub name: String,
    /// Version or range.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub version: String,
    /// Where it comes from.
    #[serde(default)]
    pub repository: String,
    /// Value that switches it on.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub condition: String,
    /// Tags that switch it on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Whether it is on.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub enabled: bool,
    /// Values that it hands to its parent.
    #[serde(default, skip_serializing_if = "Vec::is_empty", rename = "import-values")]
    pub import_values: Vec<Value>,
    /// Name under which its parent knows it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub alias: String,
}

/// The dependencies that a file lists.
///
/// # Errors
/// They are none that Helm knows.
pub fn dependencies(file: &Value) -> Result<Vec<Dependency>, String> {
    match file.get("dependencies") {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(list) => serde_json::from_value(list.clone()).map_err(|error| error.to_string()),
    }
}

/// The digest that Helm writes into `Chart.lock`.
pub fn digest(wanted: &[Dependency], locked: &[Dependency]) -> String {
    let json = serde_json::to_vec(&[wanted, locked]).unwrap_or_default();
    Digest::of(&json).to_string()
}
