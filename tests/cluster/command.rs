//! The program itself on a real API server: what it tells, and that the commands it prints put everything back.

use std::path::Path;
use std::process::Command;

use kube::api::Patch;
use serde_json::{Value, json};

use crate::fleets::run_drift;
use crate::harness::apply::{Applier, Tree};
use crate::harness::binaries::Version;
use crate::harness::{Cluster, User, runtime};

/// Puts a tree on the branch `main` of a repository.
fn commit(repository: &Path, tree: &Tree) {
    crate::fleets::write_tree(repository, tree);
    for arguments in [
        &["init", "--quiet", "--initial-branch=main"][..],
        &["add", "--all"],
        &["-c", "user.name=t", "-c", "user.email=t@example.com", "commit", "--quiet", "-m", "tree"],
    ] {
        let mut git = Command::new("git");
        git.current_dir(repository).args(arguments).env("GIT_CONFIG_GLOBAL", "/dev/null");
        crate::tools::run(&mut git).unwrap_or_else(|error| panic!("{error}"));
    }
}

fn program(repository: &Path, kubeconfig: &Path, arguments: &[&str]) -> (Option<i32>, Value) {
    let mut program = Command::new(env!("CARGO_BIN_EXE_tenantry"));
    program.args(["-C", "/nowhere", "drift", "--path", "tree", "--settle", "0s", "-o", "json", "--repo"]);
    program.arg(repository).arg("--kubeconfig").arg(kubeconfig).args(arguments);
    run_drift(&mut program)
}

/// A difference of each kind.
async fn edit(applier: &Applier) {
    let merge = |object: &'static str, patch: Value| (object, Patch::Merge(patch));
    for (object, patch) in [
        merge("networking.k8s.io/v1 NetworkPolicy default-deny", json!({"spec": {"ingress": [{}]}})),
        merge("v1 ResourceQuota quota", json!({"spec": {"hard": {"limits.cpu": "64"}}})),
        merge("v1 ServiceAccount adapter", json!({"metadata": {"annotations": {"example.com/by-hand": "yes"}}})),
    ] {
        applier.patch(&named(object), &patch, "kubectl-edit").await;
    }
    let policy = named("networking.k8s.io/v1 NetworkPolicy api-ingress");
    let rule = json!([{"op": "add", "path": "/spec/ingress/0", "value": {"from": [{"namespaceSelector": {}}]}}]);
    applier.patch_json(&policy, &rule, "kubectl-edit").await;
    applier.delete(&named("cilium.io/v2 CiliumNetworkPolicy llm-egress")).await;
    let mut extra = named("networking.k8s.io/v1 NetworkPolicy by-hand");
    extra["spec"] = json!({"podSelector": {}, "ingress": [{}]});
    applier.create(&extra, "kubectl-create").await;
    let binding = named("rbac.authorization.k8s.io/v1 RoleBinding secrets");
    let mut other = applier.get(&binding).await.expect("a binding of the tree");
    applier.delete(&binding).await;
    other["roleRef"]["name"] = json!("other");
    other["metadata"] = binding["metadata"].clone();
    applier.create(&other, "kubectl-create").await;
}

fn named(text: &str) -> Value {
    let words: Vec<&str> = text.split_whitespace().collect();
    let [api_version, kind, name] = words.as_slice() else { panic!("{text:?} names no object") };
    json!({"apiVersion": api_version, "kind": kind, "metadata": {"namespace": "tenant-command", "name": name}})
}

#[test]
fn what_it_prints_puts_everything_back() {
    let cluster = match Cluster::shared(Version::Newest) {
        Ok(cluster) => cluster,
        Err(not_run) => return not_run.report(),
    };
    let kubectl = match crate::tools::kubectl() {
        Ok(kubectl) => kubectl,
        Err(not_run) => return not_run.report(),
    };
    let (folder, home) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let (repository, kubeconfig) = (folder.path(), cluster.kubeconfig(User::Admin));
    runtime().block_on(async {
        let tree = crate::faults::applied(cluster, "command").await;
        commit(repository, &tree);
        edit(&Applier::new(cluster.client(User::Admin)).await).await;
    });
    let (code, report) = program(repository, &kubeconfig, &[]);
    assert_eq!(code, Some(1), "{report:#}");
    assert_eq!(report["differences"].as_array().map(Vec::len), Some(7), "{report:#}");
    let path =
        format!("{}:{}", kubectl.parent().expect("a folder").display(), std::env::var("PATH").unwrap_or_default());
    for difference in report["differences"].as_array().expect("differences") {
        let command = difference["restore"].as_str().expect("a command");
        let mut bash = Command::new("bash");
        bash.args(["-euo", "pipefail", "-c", command]).env("PATH", &path).env("KUBECONFIG", &kubeconfig);
        crate::tools::run(bash.env("HOME", home.path())).unwrap_or_else(|error| panic!("{difference:#}: {error}"));
    }
    let (code, report) = program(repository, &kubeconfig, &[]);
    assert_eq!((code, &report["verdict"]), (Some(0), &json!("clean")), "{report:#}");
    // Of one tenant, and of the one that Git lacks a cluster for.
    assert_eq!(program(repository, &kubeconfig, &["--tenant", "command"]).0, Some(0));
}
