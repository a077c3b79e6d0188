//! The cases of the admission policies on a real API server: the same verdict as offline.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tenantry::admission::{Case, USER, read_case};
use tenantry::yaml::{self, Limits};

use crate::harness::apply::{Applier, Tree, objects_of};
use crate::harness::{Cluster, User, runtime};

/// What tries the cases unless they name somebody.
const TRIED_BY: &str = "system:serviceaccount:flux-system:kustomize-controller";

fn cases() -> Vec<(String, Case)> {
    let mut files = Tree::new();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("policies/admission/cases");
    super::fleets::read_into(&folder, "", &mut files);
    let read = |(path, bytes): (String, Vec<u8>)| {
        let documents = yaml::parse(std::str::from_utf8(&bytes).unwrap(), Limits::MANIFEST).unwrap();
        let documents = documents.iter().map(|document| document.root.to_json()).collect();
        (path.clone(), read_case(&path, documents).unwrap())
    };
    files.into_iter().map(read).collect()
}

/// The policies and bindings, as the fleet ships them.
fn policies() -> Vec<Value> {
    let mut files = Tree::new();
    super::fleets::read_into(&Path::new(env!("CARGO_MANIFEST_DIR")).join("policies/admission"), "", &mut files);
    files.retain(|path, _| !path.starts_with("cases/"));
    objects_of(&files)
}

/// Tries a case with server-side apply that changes nothing; the names of the policies that refuse.
fn refused_by(cluster: &Cluster, kubectl: &Path, home: &Path, case: &Case) -> Result<Option<String>, String> {
    let file = home.join("object.json");
    let mut object = case.object.clone();
    if let Some(annotations) = object["metadata"]["annotations"].as_object_mut() {
        annotations.remove(USER);
    }
    std::fs::write(&file, object.to_string()).unwrap();
    let mut command = Command::new(kubectl);
    command
        .env_clear()
        .env("HOME", home)
        .env("KUBECACHEDIR", home)
        .arg("--kubeconfig")
        .arg(cluster.kubeconfig(User::Admin));
    command.args(["--as", case.user().unwrap_or(TRIED_BY), "--as-group", "system:masters"]);
    command.args(["apply", "--server-side", "--dry-run=server", "--force-conflicts", "-f"]).arg(&file);
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let by = said.split_once("ValidatingAdmissionPolicy '").and_then(|(_, rest)| rest.split('\'').next());
    match (output.status.success(), by) {
        (true, _) => Ok(None),
        (false, Some(policy)) => Ok(Some(policy.to_owned())),
        (false, None) => Err(said),
    }
}

/// Every case has the verdict of a real API server. (The policies hold for the whole cluster, and stay.)
pub fn every_case_has_the_verdict_of_a_real_api_server(cluster: &Cluster, kubectl: &Path) {
    let home = tempfile::tempdir().unwrap();
    let cases = cases();
    assert!(cases.len() > 60, "{} cases", cases.len());
    runtime().block_on(async {
        let applier = Applier::new(cluster.client(User::Admin)).await;
        // Cases share what is there before: a namespace of one name has one state.
        let mut before: Vec<Value> = cases.iter().flat_map(|(_, case)| case.before.clone()).collect();
        let namespaces: BTreeSet<String> =
            before.iter().map(|object| object["metadata"]["name"].as_str().unwrap().to_owned()).collect();
        // No controller makes them here, and pods are refused without.
        before.extend(namespaces.iter().map(|namespace| {
            json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default", "namespace": namespace}})
        }));
        assert_eq!(applier.server_side_apply(&before, "tests").await, Vec::<String>::new());
        assert_eq!(applier.server_side_apply(&policies(), "tests").await, Vec::<String>::new());
    });
    // A policy takes a moment until it is asked.
    let last = cases.iter().rev().find(|(_, case)| case.denied).unwrap();
    let start = Instant::now();
    while refused_by(cluster, kubectl, home.path(), &last.1).unwrap().is_none() {
        assert!(start.elapsed() < Duration::from_secs(60), "the policies are never asked");
        std::thread::sleep(Duration::from_millis(500));
    }
    let mut wrong = Vec::new();
    for (path, case) in &cases {
        let found = refused_by(cluster, kubectl, home.path(), case);
        match found {
            Ok(by) if by.as_deref() == case.denied.then_some(case.policy.as_str()) => {}
            Ok(by) => wrong.push(format!("{path}: refused by {by:?}")),
            Err(said) => wrong.push(format!("{path}: {said}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
