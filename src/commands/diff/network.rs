//! Connections that a change adds and removes.
//!
//! In a large cluster, tenants that change alike have the same connections but for their names: a few of them are looked at
//! together with the control plane, and the others are named.

use std::collections::{BTreeMap, BTreeSet};

use super::side::{Side, shared};
use super::units::Outcome;
use crate::check::network;
use crate::diff::{Flow, connections};
use crate::finding::Finding;
use crate::manifest::Digest;
use crate::network::{Connection, Filter};
use crate::plan::names::{cluster_of, namespace};
use crate::render::RenderedUnit;
use crate::report::diff::Connections;

/// Up to so many tenants of a cluster, all are looked at.
const ALL: usize = 16;
/// Tenants that are looked at of those that change alike: two, so that what one opens to the other is seen.
const ALIKE: usize = 2;
/// Most kinds of changes that are looked at in a cluster.
const MOST: usize = 100;

/// What is looked at in one cluster.
struct Chosen {
    paths: BTreeSet<String>,
    /// Tenants that stand behind a representative, by its namespace.
    alike: BTreeMap<String, Vec<String>>,
    left: Vec<String>,
}

/// The connections that change, and what could not be told.
pub fn changes(before: &dyn Side, after: &dyn Side, outcome: &Outcome) -> (Connections, Vec<String>) {
    let mut touched: BTreeMap<&str, BTreeMap<&str, Digest>> = BTreeMap::new();
    for (path, digest) in &outcome.network {
        touched.entry(cluster_of(path)).or_default().insert(path, *digest);
    }
    let (mut all, mut incomplete) = (Connections::default(), Vec::new());
    for (cluster, touched) in touched {
        let chosen = choose(before, after, cluster, &touched);
        if !chosen.left.is_empty() {
            let count = chosen.left.len();
            all.not_listed
                .push(format!("{count} more tenants of {cluster} change in ways of their own: network connections"));
        }
        match (list(before, after, cluster, &chosen.paths), list(after, before, cluster, &chosen.paths)) {
            (Ok(old), Ok(new)) => {
                let flows = connections::flows(cluster, &old, &new, &chosen.alike);
                all.changes.extend(flows.into_iter().filter(|flow| !is_inner(flow, outcome)));
            }
            (Err(why), _) => incomplete.push(format!("connections of {cluster} before the change: {why}")),
            (_, Err(why)) => incomplete.push(format!("connections of {cluster} after the change: {why}")),
        }
    }
    (all, incomplete)
}

fn choose(before: &dyn Side, after: &dyn Side, cluster: &str, touched: &BTreeMap<&str, Digest>) -> Chosen {
    let is_here = |path: &&str| cluster_of(path) == cluster;
    let all: BTreeSet<&str> = before.paths().into_iter().chain(after.paths()).filter(is_here).collect();
    let slug = |path: &str| path.split_once("/tenants/").map(|(_, slug)| slug.to_owned());
    let tenants: Vec<&str> = all.iter().filter(|path| slug(path).is_some()).copied().collect();
    let mut chosen = Chosen { paths: BTreeSet::new(), alike: BTreeMap::new(), left: Vec::new() };
    chosen.paths.extend(all.iter().filter(|path| slug(path).is_none()).map(|path| (*path).to_owned()));
    if tenants.len() <= ALL {
        chosen.paths.extend(tenants.iter().map(|path| (*path).to_owned()));
        return chosen;
    }
    let mut groups: BTreeMap<Digest, Vec<&str>> = BTreeMap::new();
    for (path, digest) in touched.iter().filter(|(path, _)| slug(path).is_some()) {
        groups.entry(*digest).or_default().push(path);
    }
    for (number, members) in groups.into_values().enumerate() {
        if number >= MOST {
            chosen.left.extend(members.iter().filter_map(|path| slug(path)));
            continue;
        }
        let (looked, others) = members.split_at(members.len().min(ALIKE));
        chosen.paths.extend(looked.iter().map(|path| (*path).to_owned()));
        if let (Some(first), false) = (looked.first().and_then(|path| slug(path)), others.is_empty()) {
            chosen.alike.insert(namespace(&first), others.iter().filter_map(|path| slug(path)).collect());
        }
    }
    // Neighbours that do not change: what is opened to all tenants is opened to them.
    let still = tenants.iter().filter(|path| !touched.contains_key(**path)).take(ALIKE);
    chosen.paths.extend(still.map(|path| (*path).to_owned()));
    chosen
}

/// The connections of a part of a cluster on one side. A tree tells less of its cluster than a fleet: then the other side's
/// settings hold.
fn list(side: &dyn Side, other: &dyn Side, cluster: &str, paths: &BTreeSet<String>) -> Result<Vec<Connection>, String> {
    let said = |found: Vec<Finding>| found.first().map(|finding| finding.message.clone()).unwrap_or_default();
    let units: Result<Vec<Option<RenderedUnit>>, _> = paths.iter().map(|path| side.part(path)).collect();
    let units = shared(units.map_err(said)?.into_iter().flatten().collect());
    let Some((plan, known)) = side.cluster(cluster).or_else(|| other.cluster(cluster)) else { return Ok(Vec::new()) };
    let model = network::part(plan, known, &units).model().map_err(|refusals| refusals.to_string())?;
    Ok(crate::network::connections(&model, &Filter::default()))
}

/// Whether both ends lie in the namespace of a unit that comes or goes: that is said of the unit already.
fn is_inner(flow: &Flow, outcome: &Outcome) -> bool {
    let of = |end: &str| end.split_once('/').map(|(namespace, _)| namespace.to_owned());
    let (Some(source), Some(destination)) = (of(&flow.source), of(&flow.destination)) else { return false };
    let slugs = outcome.units.iter().flat_map(|unit| {
        let from = unit.from.as_deref().and_then(|path| path.rsplit('/').next());
        [unit.tenant.as_deref(), from]
    });
    source == destination && slugs.flatten().any(|slug| namespace(slug) == source)
}
