//! The policies that the charts can make themselves are those of the rendered tree, object by object. What the checker
//! of drift needs, the tree alone holds.

use std::collections::BTreeMap;
use std::fs;

use serde_json::{Value, json};

use super::objects::{name, text};
use super::{Release, every_release, fleet, helm, read};

/// The drift checker is the tree's own, no chart installs it: its policies, and its name among those that others select.
const DRIFT: &str = "tenantry-drift";

#[test]
fn policies_of_the_charts_are_those_of_the_tree() {
    every_release(|release| {
        let chart = match by_hand(release) {
            Ok(objects) => specs(&objects),
            Err(said) => return vec![said],
        };
        let tree: BTreeMap<String, Value> = specs(&release.own)
            .into_iter()
            .filter(|(name, _)| !name.split('/').any(|part| part.starts_with(DRIFT)))
            .map(|(name, spec)| (name, without_drift(&spec)))
            .collect();
        if tree.len() < 5 {
            return vec![format!("the unit has {} policies", tree.len())];
        }
        let names = tree.keys().chain(chart.keys().filter(|name| !tree.contains_key(*name)));
        names.filter_map(|name| difference(name, chart.get(name), tree.get(name))).collect()
    });
}

/// A policy as it is without the drift checker among the pods that it selects.
fn without_drift(value: &Value) -> Value {
    match value {
        Value::Array(list) => list.iter().filter(|item| *item != DRIFT).map(without_drift).collect(),
        Value::Object(map) => {
            map.iter().map(|(key, value)| (key.clone(), without_drift(value))).collect::<serde_json::Map<_, _>>().into()
        }
        other => other.clone(),
    }
}

/// The chart's own objects, with the release's values but for the policies.
fn by_hand(release: &Release) -> Result<Vec<Value>, String> {
    let mut values = release.values.clone();
    values["networkPolicies"]["enabled"] = json!(true);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("values.json");
    fs::write(&file, values.to_string()).unwrap();
    let output = helm(&["template"], release.chart, &release.namespace, Some(&file));
    if output.status.success() { Ok(read(&output.stdout)) } else { Err(fleet::text(&output.stderr)) }
}

/// What each policy says, in an order of its own: lists of rules, peers and ports are sets.
fn specs(objects: &[Value]) -> BTreeMap<String, Value> {
    let policies =
        objects.iter().filter(|object| matches!(text(&object["kind"]), "NetworkPolicy" | "CiliumNetworkPolicy"));
    policies.map(|policy| (name(policy), ordered(&policy["spec"]))).collect()
}

fn ordered(value: &Value) -> Value {
    match value {
        Value::Array(list) => {
            let mut list: Vec<Value> = list.iter().map(ordered).collect();
            list.sort_by_key(ToString::to_string);
            list.into()
        }
        Value::Object(map) => {
            map.iter().map(|(key, value)| (key.clone(), ordered(value))).collect::<serde_json::Map<_, _>>().into()
        }
        other => other.clone(),
    }
}

fn difference(name: &str, chart: Option<&Value>, tree: Option<&Value>) -> Option<String> {
    match (chart, tree) {
        (Some(chart), Some(tree)) if chart == tree => None,
        (None, _) => Some(format!("{name} is in the tree only")),
        (_, None) => Some(format!("{name} is in the chart only")),
        (Some(chart), Some(tree)) => Some(format!("{name}: the chart says {chart}, the tree says {tree}")),
    }
}
