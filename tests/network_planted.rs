//! Mistakes planted into what the fleets render to: each is caught, at the file and line that is to blame.
//!
//! `tests/network/planted-rendered.yaml` says where and how; a line is given by its text.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on says so by its panic"
)]

#[path = "support/fleet.rs"]
mod fleet;
#[path = "support/proof.rs"]
mod proof;

use std::collections::BTreeMap;
use std::fs;

use proof::Cluster;
use rayon::prelude::*;
use serde::Deserialize;
use serde_json::Value;
use tenantry::network::{LabelFilter, Proof, Source, Verdict};

/// A mistake.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Planted {
    /// What it is.
    what: String,
    /// The golden case and cluster.
    of: String,
    /// The object, as `Kind namespace/name`.
    on: String,
    /// Values by JSON pointer; null removes. The last part may be `-` for the end of a list.
    #[serde(default)]
    set: BTreeMap<String, Value>,
    /// An object to add to the file of `on`.
    #[serde(default)]
    add: Option<Value>,
    #[serde(default)]
    cilium: Option<String>,
    #[serde(default)]
    labels: Vec<String>,
    #[serde(default)]
    node_local: Option<std::net::IpAddr>,
    #[serde(default)]
    pods: Option<ipnet::IpNet>,
    #[serde(default)]
    services: Option<ipnet::IpNet>,
    /// Claims that fail, or rules that find something, with the text of a line of the file that they blame.
    expect: Vec<Expected>,
}

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
struct Expected {
    /// A claim or a rule.
    by: String,
    /// Text of the guilty line.
    at: String,
    /// The end of its file's path.
    file: String,
}

#[test]
fn planted_mistakes_are_caught_where_they_are() {
    let text = fs::read_to_string(fleet::root().join("tests/network/planted-rendered.yaml")).unwrap();
    let planted: Vec<Planted> = serde_yaml::from_str(&text).unwrap();
    assert!(planted.len() >= 27, "only {} mistakes", planted.len());
    let mut clusters = BTreeMap::new();
    for case in fleet::fleets() {
        clusters
            .extend(proof::clusters(&case.root).into_iter().map(|one| (format!("{} {}", case.name, one.name), one)));
    }
    let failures: Vec<String> = planted.par_iter().flat_map_iter(|one| plant(one, &clusters[&one.of])).collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

fn plant(planted: &Planted, cluster: &Cluster) -> Vec<String> {
    let mut sources = cluster.sources.clone();
    let at = sources.iter().position(|source| proof::name(source) == planted.on);
    let at = at.unwrap_or_else(|| panic!("{}: no {}", planted.what, planted.on));
    planted.set.iter().for_each(|(pointer, value)| set(&mut sources[at].value, pointer, value, &planted.what));
    if let Some(value) = &planted.add {
        sources.push(Source { value: value.clone(), ..sources[at].clone() });
    }
    let mut settings = cluster.settings.clone();
    if let Some(version) = &planted.cilium {
        settings.cilium = version.parse().unwrap();
    }
    if !planted.labels.is_empty() {
        settings.label_filter = LabelFilter::with(&planted.labels).unwrap();
    }
    settings.resolver.node_local.extend(planted.node_local);
    settings.pod_cidrs.extend(planted.pods);
    settings.service_cidrs.extend(planted.services);
    let model = match tenantry::network::Model::build(&sources, &settings) {
        Ok(model) => model,
        Err(refusals) => return vec![format!("{}: refused: {refusals}", planted.what)],
    };
    let found = tenantry::network::prove(&model, &cluster.claims);
    let missed = planted.expect.iter().filter_map(|expected| missed(cluster, &found, expected));
    missed.map(|missed| format!("{} ({}): {missed}", planted.what, planted.on)).collect()
}

fn set(document: &mut Value, pointer: &str, value: &Value, what: &str) {
    let (parent, last) = pointer.rsplit_once('/').unwrap();
    let last = last.replace("~1", "/").replace("~0", "~");
    match document.pointer_mut(parent).unwrap_or_else(|| panic!("{what}: no {parent}")) {
        Value::Object(map) if value.is_null() => {
            drop(map.remove(&last).unwrap_or_else(|| panic!("{what}: no {pointer}")))
        }
        Value::Object(map) => drop(map.insert(last, value.clone())),
        Value::Array(list) if last == "-" => list.push(value.clone()),
        Value::Array(list) if value.is_null() => drop(list.remove(last.parse().unwrap())),
        Value::Array(list) => list[last.parse::<usize>().unwrap()] = value.clone(),
        other => panic!("{what}: {parent} is {other}"),
    }
}

/// What was named instead, if the place was not.
fn missed(cluster: &Cluster, found: &Proof, expected: &Expected) -> Option<String> {
    let claim = found.verdicts.iter().find(|one| one.id == expected.by && one.verdict != Verdict::Holds);
    let witnessed = claim.into_iter().flat_map(|one| &one.witnesses).flat_map(|witness| &witness.guilty);
    let linted = found.findings.iter().filter(|one| one.rule == expected.by).map(|one| &one.place);
    let named: Vec<String> = witnessed
        .chain(linted)
        .map(|place| format!("{}:{}: {}", place.file, place.line, cluster.line(&place.file, place.line)))
        .collect();
    let is_named = named.iter().any(|place| {
        place.split(':').next().is_some_and(|file| file.ends_with(&expected.file)) && place.contains(&expected.at)
    });
    let failing: Vec<&str> =
        found.verdicts.iter().filter(|one| one.verdict != Verdict::Holds).map(|one| one.id.as_str()).collect();
    let rules: Vec<&str> = found.findings.iter().map(|one| one.rule).collect();
    (!is_named).then(|| format!("{expected:?}: named {named:#?}; failing {failing:?}, found {rules:?}"))
}
