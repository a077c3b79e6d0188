//! What a change does to who may talk to whom.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use crate::network;

/// How a pair of ends changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum FlowChange {
    /// Something may flow that could not.
    Added,
    /// Other ports than before.
    Changed,
    /// Nothing may flow any more.
    Removed,
}

/// A pair of ends between which other traffic may flow than before.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Flow {
    /// How it changes.
    pub change: FlowChange,
    /// The cluster.
    pub cluster: String,
    /// The source.
    pub source: String,
    /// The destination.
    pub destination: String,
    /// What flowed; none if nothing did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// What flows; none if nothing does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// Tenants whose change is the same, that of the ends left out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub alike: Vec<String>,
}

/// The pairs that change between two sorted lists of connections. `alike` gives the tenants that stand behind a
/// representative, by its namespace.
pub fn flows(
    cluster: &str,
    before: &[network::Connection],
    after: &[network::Connection],
    alike: &BTreeMap<String, Vec<String>>,
) -> Vec<Flow> {
    let namespace = |end: &str| end.split_once('/').map(|(namespace, _)| namespace.to_owned());
    let others = |change: &network::Change| {
        let ends = [&change.source, &change.destination];
        let list = ends.iter().filter_map(|end| alike.get(&namespace(end)?)).next();
        list.cloned().unwrap_or_default()
    };
    let mut flows: Vec<Flow> = network::diff(before, after)
        .into_iter()
        .map(|change| Flow {
            alike: others(&change),
            cluster: cluster.to_owned(),
            change: match change.kind {
                network::ChangeKind::Added => FlowChange::Added,
                network::ChangeKind::Changed => FlowChange::Changed,
                network::ChangeKind::Removed => FlowChange::Removed,
            },
            before: (change.kind != network::ChangeKind::Added).then_some(change.before),
            after: (change.kind != network::ChangeKind::Removed).then_some(change.after),
            source: change.source,
            destination: change.destination,
        })
        .collect();
    flows.sort();
    flows
}
