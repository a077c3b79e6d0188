//! Rendered fleets on a real API server: accepted whole, and clean when they are read back.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tenantry::cluster::{CheckOptions, Limits, check};
use tenantry::drift::changeset::{ChangeSet, Overall};

use crate::harness::apply::{Applier, Tree, objects_of};
use crate::harness::binaries::Version;
use crate::harness::{Cluster, Settings, User, runtime};

/// Every fleet of the repository, by name.
fn fleets() -> Vec<(String, PathBuf)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut fleets = vec![("demo".to_owned(), root.to_owned())];
    for entry in std::fs::read_dir(root.join("tests/golden")).expect("golden fleets") {
        let path = entry.expect("an entry").path().join("fleet");
        if path.join("install.yaml").exists() {
            let name = path.parent().and_then(Path::file_name).expect("a name");
            fleets.push((name.to_string_lossy().into_owned(), path));
        }
    }
    fleets.sort();
    fleets
}

/// Renders a fleet; its trees by cluster.
fn render(fleet: &Path) -> BTreeMap<String, Tree> {
    let out = tempfile::tempdir().expect("a folder");
    let mut render = Command::new(env!("CARGO_BIN_EXE_tenantry"));
    render.arg("-C").arg(fleet).args(["--quiet", "render", "--out"]).arg(out.path());
    crate::tools::run(&mut render).unwrap_or_else(|error| panic!("{error}"));
    let mut trees = BTreeMap::new();
    for entry in std::fs::read_dir(out.path().join("clusters")).expect("clusters") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        let mut tree = Tree::new();
        read_into(&path, "", &mut tree);
        trees.insert(name, tree);
    }
    trees
}

/// Reads the files of a folder.
pub fn read_into(folder: &Path, prefix: &str, tree: &mut Tree) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let entry = entry.expect("an entry");
        let path = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if entry.file_type().expect("a type").is_dir() {
            read_into(&entry.path(), &format!("{path}/"), tree);
        } else {
            tree.insert(path, std::fs::read(entry.path()).expect("a file"));
        }
    }
}

/// Checks a tree as a user, at once and without waiting.
pub async fn check_tree(
    cluster: &Cluster,
    tree: &Tree,
    user: User,
    options: &CheckOptions,
) -> tenantry::error::Result<ChangeSet> {
    check_as(cluster.client(user), tree, options).await
}

/// Checks a tree with a client.
async fn check_as(client: kube::Client, tree: &Tree, options: &CheckOptions) -> tenantry::error::Result<ChangeSet> {
    let limits = Limits { total_timeout: Duration::from_secs(120), ..Limits::default() };
    let api = tenantry::cluster::Api::new(client, limits);
    check(&api, Arc::new(tree.clone()), options, "2026-01-01".parse().expect("a date")).await
}

/// What a check says, one line a difference or gap.
pub fn told(set: &ChangeSet) -> String {
    let mut lines: Vec<String> = set
        .items
        .iter()
        .map(|item| {
            format!(
                "{:?} {:?} {:?} {} {}: {:?} -> {:?} ({}) at {:?} by {:?}",
                item.severity,
                item.class,
                item.verdict,
                item.object,
                item.path,
                item.expected,
                item.found,
                item.effect,
                item.place,
                item.writer
            )
        })
        .collect();
    lines.extend(set.coverage.iter().filter_map(|kind| Some(format!("gap {}: {:?}", kind.kind, kind.gap.as_ref()?))));
    lines.extend(set.problems.iter().map(|problem| format!("{problem:?}")));
    lines.join("\n")
}

/// Each tree in its turn on one API server: applied, read back by its own checker, and taken away again.
fn accepted_and_clean(version: Version) {
    let cluster = match Cluster::start(Settings { audit: true, ..Settings::new(version) }) {
        Ok(cluster) => cluster,
        Err(not_run) => return not_run.report(),
    };
    if let Err(not_run) = cluster.install_crds() {
        return not_run.report();
    }
    let (mut faults, mut trees, mut with_checker) = (String::new(), 0, 0);
    runtime().block_on(async {
        let applier = Applier::new(cluster.client(User::Admin)).await;
        for (name, fleet) in fleets() {
            for (cluster_name, tree) in render(&fleet) {
                let fault = one_tree(&cluster, &applier, &tree).await;
                faults.extend(fault.map(|fault| format!("{name}/{cluster_name}: {fault}\n")));
                trees += 1;
                with_checker += usize::from(checker_account(&objects_of(&tree)).is_some());
            }
        }
    });
    assert!(trees > 4 && with_checker > 3, "{trees} trees, {with_checker} with a checker");
    assert!(faults.is_empty(), "{faults}");
}

/// What is wrong with a tree, if anything is.
async fn one_tree(cluster: &Cluster, applier: &Applier, tree: &Tree) -> Option<String> {
    let objects = objects_of(tree);
    applier.create_missing_namespaces(&objects).await;
    let refused = applier.server_side_apply(&objects, "kustomize-controller").await;
    // As the checker itself, with the rights that the tree gives it and no more. (A fleet may do without a checker.)
    let account = checker_account(&objects);
    let client = match &account {
        Some((namespace, account)) => cluster.client_of_account(namespace, account).await,
        None => cluster.client(User::Admin),
    };
    let set = check_as(client, tree, &CheckOptions::default()).await.unwrap();
    assert_eq!(set.objects, objects.len(), "every object was compared");
    if let Some((namespace, account)) = account {
        only_reads(&cluster.audit_log(), &format!("system:serviceaccount:{namespace}:{account}"));
    }
    applier.take_away(&objects).await;
    (!refused.is_empty() || set.overall() != Overall::Clean).then(|| format!("{refused:#?}\n{}", told(&set)))
}

/// The ServiceAccount to which the tree gives the drift checker's role, if the fleet has one.
fn checker_account(objects: &[Value]) -> Option<(String, String)> {
    let is_it =
        |object: &&Value| object["kind"] == "ClusterRoleBinding" && object["roleRef"]["name"] == "tenantry-drift";
    let subject = &objects.iter().find(is_it)?["subjects"][0];
    Some((subject["namespace"].as_str()?.to_owned(), subject["name"].as_str()?.to_owned()))
}

/// The audit log of a user has reads only, and none of Secrets.
fn only_reads(log: &str, user: &str) {
    let events: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).expect("an event")).collect();
    let own: Vec<&Value> = events.iter().filter(|event| event["user"]["username"] == user).collect();
    assert!(own.len() > 10, "{} requests of {user}", own.len());
    for event in own {
        let verb = event["verb"].as_str().unwrap_or_default();
        assert!(matches!(verb, "get" | "list" | "watch"), "{event}");
        assert_ne!(event["objectRef"]["resource"], "secrets", "{event}");
    }
}

#[test]
fn fleets_are_accepted_and_clean_on_the_newest_version() {
    accepted_and_clean(Version::Newest);
}

#[test]
fn fleets_are_accepted_and_clean_on_the_previous_version() {
    accepted_and_clean(Version::Previous);
}
