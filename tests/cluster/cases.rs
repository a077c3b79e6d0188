//! The cases of `tests/cluster/cases/*.yaml`: a tree is applied, something is edited, and the check says exactly that.
//!
//! Every case runs against the same small tree (`tests/cluster/tree`) under names of its own, so that cases do not see each
//! other: wherever the tree or a case says `acme` or `soctalk-system`, the case's own name stands.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use kube::api::Patch;
use serde::Deserialize;
use serde_json::{Value, json};
use tenantry::cluster::CheckOptions;
use tenantry::drift::change::Item;
use tenantry::drift::changeset::{ChangeSet, Overall};
use tenantry::drift::exempt::Exemption;
use tenantry::drift::filter::{Filter, Selector};

use crate::fleets::{check_tree, read_into, told};
use crate::harness::apply::{self, Applier, Tree, objects_of};
use crate::harness::binaries::Version;
use crate::harness::{Cluster, User, runtime};

/// Cases under way at once.
const CONCURRENCY: usize = 6;

#[derive(Deserialize, Clone)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    /// How the tree is applied.
    #[serde(default)]
    how: How,
    /// Files of Git that the case has besides, or instead.
    #[serde(default)]
    git: std::collections::BTreeMap<String, String>,
    /// Files of Git that change after everything was applied; null: the file goes.
    #[serde(default)]
    git_after: std::collections::BTreeMap<String, Option<String>>,
    /// Done before the tree is applied.
    #[serde(default)]
    before: Vec<Step>,
    /// Done after.
    #[serde(default)]
    edit: Vec<Step>,
    #[serde(default)]
    exemptions: Vec<Exemption>,
    #[serde(default)]
    allow: Vec<String>,
    #[serde(default)]
    tenants: Option<BTreeSet<String>>,
    #[serde(default)]
    selector: Option<String>,
    /// Every item that the check must tell, and no other.
    expect: Vec<Expected>,
}

#[derive(Deserialize, Clone, Copy, Default, PartialEq)]
#[serde(rename_all = "kebab-case")]
enum How {
    #[default]
    ServerSideApply,
    KubectlApply,
    Helm,
}

#[derive(Deserialize, Clone)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
enum Step {
    Create {
        object: Value,
        manager: Option<String>,
    },
    Apply {
        object: Value,
        manager: Option<String>,
    },
    Merge {
        object: String,
        patch: Value,
        manager: Option<String>,
    },
    Json {
        object: String,
        patch: Value,
        manager: Option<String>,
    },
    Status {
        object: String,
        status: Value,
        manager: Option<String>,
    },
    Delete {
        object: String,
        #[serde(default)]
        gone: bool,
    },
    Define {
        object: Value,
    },
}

#[derive(Deserialize, Clone, Debug)]
#[serde(deny_unknown_fields)]
struct Expected {
    object: String,
    #[serde(default)]
    path: String,
    verdict: String,
    class: String,
    severity: String,
    expected: Option<String>,
    found: Option<String>,
    effect: Option<String>,
    place: Option<String>,
    writer: Option<String>,
    tenant: Option<String>,
    exemption: Option<String>,
}

/// The files of cases.
const FILES: [&str; 7] = ["clean", "network", "access", "capacity", "delivery", "objects", "exemptions"];

/// Runs every case on a version, those of all files side by side. `CASE=text` runs those whose names hold the text.
fn run_all(version: Version) {
    let cluster = match Cluster::shared(version) {
        Ok(cluster) => cluster,
        Err(not_run) => return not_run.report(),
    };
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cluster");
    let mut tree = Tree::new();
    read_into(&folder.join("tree"), "", &mut tree);
    let only = std::env::var("CASE").unwrap_or_default();
    let mut cases = Vec::new();
    for file in FILES {
        let text = std::fs::read_to_string(folder.join(format!("cases/{file}.yaml"))).expect("a file of cases");
        let count = parse(&text).unwrap_or_else(|error| panic!("{file}: {error}")).len();
        assert!(count > 0, "{file} has no case");
        cases.extend((0..count).map(|number| one_of(file, &text, number, &tree)));
    }
    let count = cases.len();
    cases.retain(|(case, _)| case.name.contains(&only));
    let failures: Vec<String> = runtime().block_on(async {
        let applier = Applier::new(cluster.client(User::Admin)).await;
        let cases = futures::stream::iter(cases).map(|(case, tree)| {
            let applier = applier.clone();
            async move {
                let outcome = run_case(cluster, applier, &case, tree).await;
                outcome.err().map(|fault| format!("{}:\n{fault}", case.name))
            }
        });
        cases.buffer_unordered(CONCURRENCY).filter_map(|fault| async move { fault }).collect().await
    });
    assert!(failures.is_empty(), "{} of {count} cases fail:\n\n{}", failures.len(), failures.join("\n\n"));
}

/// A case of a file, and the tree, both under names of its own.
fn one_of(file: &str, text: &str, number: usize, tree: &Tree) -> (Case, Tree) {
    let slug = format!("{file}-{number}");
    let case = parse(&named(text, &slug)).expect("the case again").swap_remove(number);
    let tree = tree.iter().map(|(path, bytes)| {
        let text = std::str::from_utf8(bytes).expect("UTF-8");
        (named(path, &slug), named(text, &slug).into_bytes())
    });
    (case, tree.collect())
}

/// The cases of a file. (Through JSON, so that steps are written as maps and not as tags.)
fn parse(text: &str) -> Result<Vec<Case>, String> {
    let value: Value = serde_yaml::from_str(text).map_err(|error| error.to_string())?;
    serde_json::from_value(value).map_err(|error| error.to_string())
}

/// A text of the tree or of a case under the case's own names.
fn named(text: &str, slug: &str) -> String {
    text.replace("acme", slug).replace("soctalk-system", &format!("system-{slug}"))
}

async fn run_case(cluster: &Cluster, mut applier: Applier, case: &Case, mut tree: Tree) -> Result<(), String> {
    for (path, text) in &case.git {
        tree.insert(path.clone(), text.clone().into_bytes());
    }
    for step in &case.before {
        perform(&mut applier, step).await;
    }
    let objects = objects_of(&tree);
    applier.create_missing_namespaces(&objects).await;
    match case.how {
        How::ServerSideApply => {
            let refused = applier.server_side_apply(&objects, "kustomize-controller").await;
            if !refused.is_empty() {
                return Err(format!("the tree is refused: {refused:#?}"));
            }
        }
        How::KubectlApply => {
            let file = tempfile::NamedTempFile::with_suffix(".yaml").expect("a file");
            apply::write_objects(&objects, file.path());
            apply::kubectl_apply(cluster, file.path()).map_err(|not_run| not_run.to_string())?;
        }
        How::Helm => {
            let installed = apply::helm_install(cluster, &objects, "release", "default");
            installed.map_err(|not_run| not_run.to_string())?;
        }
    }
    for step in &case.edit {
        perform(&mut applier, step).await;
    }
    for (path, text) in &case.git_after {
        match text {
            Some(text) => drop(tree.insert(path.clone(), text.clone().into_bytes())),
            None => drop(tree.remove(path)),
        }
    }
    let options = CheckOptions {
        filter: Filter {
            tenants: case.tenants.clone(),
            selector: Selector::parse(case.selector.as_deref().unwrap_or_default())?,
            ..Filter::default()
        },
        exemptions: case.exemptions.clone(),
        allowed_prefixes: case.allow.clone(),
        settle: None,
    };
    let set = check_tree(cluster, &tree, User::Checker, &options).await.map_err(|error| error.to_string())?;
    compare(case, &set)
}

fn compare(case: &Case, set: &ChangeSet) -> Result<(), String> {
    let mut left: Vec<&Item> = set.items.iter().collect();
    let mut faults = Vec::new();
    for expected in &case.expect {
        match left.iter().position(|item| is_as_expected(item, expected)) {
            Some(found) => drop(left.remove(found)),
            None => faults.push(format!("not told: {expected:?}")),
        }
    }
    let drift = set.items.iter().any(Item::is_drift);
    let overall = if drift { Overall::Drift } else { Overall::Clean };
    if set.overall() != overall {
        faults.push(format!("the verdict is {:?}, not {overall:?}", set.overall()));
    }
    if faults.is_empty() && left.is_empty() {
        Ok(())
    } else {
        Err(format!("{}\nit says:\n{}", faults.join("\n"), told(set)))
    }
}

fn is_as_expected(item: &Item, expected: &Expected) -> bool {
    let name = |value: Value| value.as_str().unwrap_or_default().to_owned();
    let word = |value: &Option<String>, wanted: &Option<String>| wanted.is_none() || value == wanted;
    let place = item.place.as_ref().map(|place| format!("{}:{}", place.file, place.line));
    item.object.to_string() == expected.object
        && item.path == expected.path
        && name(json!(item.verdict)) == expected.verdict
        && name(json!(item.class)) == expected.class
        && name(json!(item.severity)) == expected.severity
        && word(&item.expected, &expected.expected)
        && word(&item.found, &expected.found)
        && word(&place, &expected.place)
        && word(&item.tenant, &expected.tenant)
        && word(&item.exemption, &expected.exemption)
        && expected.effect.as_ref().is_none_or(|effect| item.effect.contains(effect.as_str()))
        && word(&item.writer.as_ref().map(|writer| writer.manager.clone()), &expected.writer)
}

async fn perform(applier: &mut Applier, step: &Step) {
    let manager = |name: &Option<String>| name.clone().unwrap_or_else(|| "kubectl-edit".to_owned());
    match step {
        Step::Create { object, manager: name } => applier.create(object, &manager(name)).await,
        Step::Apply { object, manager: name } => {
            let refused = applier.server_side_apply(std::slice::from_ref(object), &manager(name)).await;
            assert!(refused.is_empty(), "{refused:?}");
        }
        Step::Merge { object, patch, manager: name } => {
            applier.patch(&reference(object), &Patch::Merge(patch.clone()), &manager(name)).await;
        }
        Step::Json { object, patch, manager: name } => {
            let object = reference(object);
            applier.patch_json(&object, patch, &manager(name)).await;
        }
        Step::Status { object, status, manager: name } => {
            applier.patch_status(&reference(object), status, &manager(name)).await
        }
        Step::Delete { object, gone } => {
            let object = reference(object);
            applier.delete(&object).await;
            let start = Instant::now();
            while *gone && applier.get(&object).await.is_some() {
                assert!(start.elapsed() < Duration::from_secs(90), "{object} does not go");
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }
        Step::Define { object } => applier.define(object).await,
    }
}

/// `apps/v1 Deployment namespace/name` as an object without content.
fn reference(text: &str) -> Value {
    let words: Vec<&str> = text.split_whitespace().collect();
    let [api_version, kind, name] = words.as_slice() else { panic!("{text:?} names no object") };
    match name.split_once('/') {
        Some((namespace, name)) => {
            json!({"apiVersion": api_version, "kind": kind, "metadata": {"namespace": namespace, "name": name}})
        }
        None => json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": name}}),
    }
}

#[test]
fn every_case_on_the_newest_version() {
    run_all(Version::Newest);
}

#[test]
fn every_case_on_the_previous_version() {
    run_all(Version::Previous);
}
