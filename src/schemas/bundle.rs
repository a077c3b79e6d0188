//! A bundle of schemas and its text: JSON with one kind and one schema a line, so that a change of it can be reviewed.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use super::node::{Node, NodeId};

/// `apiVersion` of bundles.
pub const API_VERSION: &str = "tenantry.io/v1";
/// `kind` of bundles.
pub const KIND: &str = "SchemaBundle";

/// Schemas of kinds; equal parts are there once.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Bundle {
    api_version: String,
    kind: String,
    /// What it was made from, in words: `kubernetes v1.36.3`.
    pub sources: Vec<String>,
    /// The kinds, in order of API version and name.
    pub kinds: Vec<KindEntry>,
    /// The schemas; those below a schema come before it.
    pub nodes: Vec<Node>,
}

/// A kind and its schema.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KindEntry {
    /// `apps/v1`.
    pub api_version: String,
    /// `Deployment`.
    pub kind: String,
    /// Name in URLs and rules: `deployments`.
    pub plural: String,
    /// Whether its objects live in namespaces.
    pub namespaced: bool,
    /// Whether it is defined by a CustomResourceDefinition.
    pub custom: bool,
    /// Number of its schema.
    pub schema: NodeId,
}

impl Bundle {
    /// Reads a bundle.
    ///
    /// # Errors
    /// What is wrong with the text, with line and column.
    pub fn parse(text: &str) -> Result<Self, String> {
        let bundle: Self = serde_json::from_str(text).map_err(|error| error.to_string())?;
        if bundle.api_version != API_VERSION || bundle.kind != KIND {
            return Err(format!("it is no {KIND} of {API_VERSION}"));
        }
        for (index, node) in bundle.nodes.iter().enumerate() {
            let below = node.properties.values().chain(&node.additional_properties).chain(&node.items).chain(&node.not);
            let below = below.chain(&node.all_of).chain(&node.any_of).chain(&node.one_of);
            // Only backwards: no schema can contain itself.
            if below.into_iter().any(|id| *id as usize >= index) {
                return Err(format!("schema {index} names one that does not come before it"));
            }
        }
        match bundle.kinds.iter().find(|entry| entry.schema as usize >= bundle.nodes.len()) {
            Some(entry) => Err(format!("{} {} names a schema that is not there", entry.api_version, entry.kind)),
            None => Ok(bundle),
        }
    }
}

/// The text of a bundle. `nodes` are schemas as JSON, children named by number.
pub(super) fn text(sources: &[String], kinds: &[KindEntry], nodes: &[String]) -> String {
    let mut text = String::from("{\n");
    let _ = writeln!(text, "\"apiVersion\": \"{API_VERSION}\",\n\"kind\": \"{KIND}\",");
    section(&mut text, "sources", sources.iter().map(line), ",");
    section(&mut text, "kinds", kinds.iter().map(line), ",");
    section(&mut text, "nodes", nodes.iter().cloned(), "");
    text.push_str("}\n");
    text
}

fn section(text: &mut String, name: &str, lines: impl Iterator<Item = String>, end: &str) {
    let lines: Vec<String> = lines.collect();
    let _ = writeln!(text, "\"{name}\": [\n{}\n]{end}", lines.join(",\n"));
}

fn line(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}
