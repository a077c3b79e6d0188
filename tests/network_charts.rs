//! The workloads and Services that the proof takes a release for are those that real Helm makes of the chart.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on says so by its panic"
)]

#[path = "support/fleet.rs"]
mod fleet;
#[path = "support/tools.rs"]
mod tools;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use rayon::prelude::*;
use serde_json::{Value, json};
use tenantry::check::network::workloads;
use tenantry::yaml::{self, Limits};

fn read(text: &[u8]) -> Vec<Value> {
    let documents = yaml::parse(std::str::from_utf8(text).unwrap(), Limits::MANIFEST).unwrap();
    documents.iter().map(|document| document.root.to_json()).filter(|value| !value.is_null()).collect()
}

/// What of an object matters to the network.
fn essence(object: &Value) -> Option<Value> {
    let name = object["metadata"]["name"].as_str()?;
    match object["kind"].as_str()? {
        "Deployment" | "StatefulSet" | "DaemonSet" | "Job" | "CronJob" | "Pod" => {
            let pod = &object["spec"]["template"];
            let containers = pod["spec"]["containers"].as_array()?;
            let ports: Vec<&Value> =
                containers.iter().flat_map(|container| container["ports"].as_array().into_iter().flatten()).collect();
            let ports: BTreeSet<String> = ports
                .iter()
                .map(|port| format!("{} {} {}", port["name"], port["containerPort"], port["protocol"]))
                .collect();
            // A Job is made again under a new name when its template changes.
            let name = if name.starts_with("soctalk-migrate") { "soctalk-migrate" } else { name };
            Some(json!({
                "kind": object["kind"], "name": name, "labels": pod["metadata"]["labels"], "ports": ports,
                "account": pod["spec"]["serviceAccountName"], "hostNetwork": pod["spec"]["hostNetwork"],
            }))
        }
        "Service" => Some(json!({
            "kind": "Service", "name": name, "type": object["spec"]["type"], "selector": object["spec"]["selector"],
            "policy": object["spec"]["externalTrafficPolicy"], "ports": object["spec"]["ports"],
        })),
        // Every path of an Ingress leads to the same backends.
        "Ingress" => {
            let text = object.to_string();
            let backends: BTreeSet<String> = text
                .match_indices("\"service\":")
                .map(|(at, _)| text[at..].split("}}").next().unwrap().to_owned())
                .collect();
            Some(json!({ "kind": "Ingress", "name": name, "backends": backends }))
        }
        "NetworkPolicy" | "CiliumNetworkPolicy" | "CiliumClusterwideNetworkPolicy" => {
            panic!("a chart of a rendered fleet brings {object}")
        }
        _ => None,
    }
}

fn essences(objects: &[Value]) -> BTreeSet<String> {
    objects.iter().filter_map(essence).map(|essence| serde_json::to_string_pretty(&essence).unwrap()).collect()
}

fn templated(helm: &Path, release: &Value) -> Vec<Value> {
    let values = release.pointer("/spec/values").or_else(|| release.pointer("/spec/source/helm/valuesObject")).unwrap();
    let text = |pointer: &str| release.pointer(pointer).and_then(Value::as_str);
    let chart = text("/spec/chartRef/name").or_else(|| text("/spec/source/chart")).unwrap();
    let namespace = text("/spec/destination/namespace").or_else(|| text("/metadata/namespace")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("values.json");
    std::fs::write(&file, values.to_string()).unwrap();
    let output = Command::new(helm)
        .args(["template", chart, &format!("charts/{chart}"), "--namespace", namespace, "--values"])
        .arg(&file)
        .current_dir(fleet::root())
        .output()
        .unwrap();
    fleet::succeeded(&output);
    read(&output.stdout)
}

#[test]
fn a_release_is_taken_for_what_helm_makes_of_it() {
    let helm = match tools::helm() {
        Ok(helm) => helm,
        Err(not_run) => return not_run.report(),
    };
    let mut releases = Vec::new();
    for case in fleet::folders(&fleet::root().join("tests/golden")) {
        let tree = fleet::files(&fleet::root().join("tests/golden").join(case).join("expected"));
        let files =
            tree.iter().filter(|(path, _)| path.ends_with("helmrelease.yaml") || path.ends_with("application.yaml"));
        releases.extend(files.flat_map(|(_, bytes)| read(bytes)).filter(|one| !workloads::deployed(one).is_empty()));
    }
    assert!(releases.len() > 15, "{} releases", releases.len());
    let differences: Vec<String> = releases
        .par_iter()
        .flat_map_iter(|release| {
            let (ours, helms) = (essences(&workloads::deployed(release)), essences(&templated(&helm, release)));
            let name = format!("{}/{}", release["metadata"]["namespace"], release["metadata"]["name"]);
            let only = |a: &BTreeSet<String>, b: &BTreeSet<String>, who: &str| {
                a.difference(b).map(|one| format!("{name}: only {who}: {one}")).collect::<Vec<_>>()
            };
            [only(&ours, &helms, "taken for"), only(&helms, &ours, "Helm's")].concat()
        })
        .collect();
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}
