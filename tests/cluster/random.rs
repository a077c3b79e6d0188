//! Random edits: the check finds exactly those that were made, wherever they were made.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};

use kube::api::Patch;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};
use tenantry::cluster::CheckOptions;

use crate::fleets::{check_tree, told};
use crate::harness::apply::{Applier, objects_of};
use crate::harness::binaries::Version;
use crate::harness::{Cluster, User, runtime};

/// Something that a person does to an object behind Git's back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Edit {
    Delete,
    Annotate,
    Label,
    /// A further object of a kind that comes from Git only, besides this one.
    Extra,
}

const KINDS_OF_EDITS: [Edit; 4] = [Edit::Delete, Edit::Annotate, Edit::Label, Edit::Extra];

/// What must be told of it: object, path, verdict.
async fn make(applier: &Applier, object: &Value, edit: Edit) -> (String, String, String) {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let named = |kind: &str, name: &str| match text("/metadata/namespace") {
        "" => format!("{kind} {name}"),
        namespace => format!("{kind} {namespace}/{name}"),
    };
    let own = named(text("/kind"), text("/metadata/name"));
    let told = |object: String, path: &str, verdict: &str| (object, path.to_owned(), verdict.to_owned());
    match edit {
        Edit::Delete => {
            applier.delete(object).await;
            told(own, "", "Missing")
        }
        Edit::Annotate => {
            let patch = json!({"metadata": {"annotations": {"example.com/by-hand": "yes"}}});
            applier.patch(object, &Patch::Merge(patch), "kubectl-annotate").await;
            told(own, "metadata.annotations[\"example.com/by-hand\"]", "Added")
        }
        Edit::Label => {
            let patch = json!({"metadata": {"labels": {"by-hand": "yes"}}});
            applier.patch(object, &Patch::Merge(patch), "kubectl-label").await;
            told(own, "metadata.labels.by-hand", "Added")
        }
        Edit::Extra => {
            let (namespace, name) = (text("/metadata/namespace"), format!("extra-{}", text("/metadata/name")));
            let extra = json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
                "metadata": {"namespace": namespace, "name": format!("{name}-{}", text("/kind").to_lowercase())},
                "spec": {"podSelector": {}, "ingress": [{}]}});
            applier.create(&extra, "kubectl-create").await;
            let name = extra["metadata"]["name"].as_str().unwrap_or_default();
            told(format!("NetworkPolicy {namespace}/{name}"), "", "Added")
        }
    }
}

#[test]
fn exactly_the_edits_that_were_made_are_found() {
    static ROUND: AtomicUsize = AtomicUsize::new(0);
    let cluster = match Cluster::shared(Version::Newest) {
        Ok(cluster) => cluster,
        Err(not_run) => return not_run.report(),
    };
    let edits = proptest::collection::vec((any::<prop::sample::Index>(), 0..KINDS_OF_EDITS.len()), 0..12);
    let mut runner = TestRunner::new(Config { cases: 6, failure_persistence: None, ..Config::default() });
    let outcome = runner.run(&edits, |edits| {
        let slug = format!("random-{}", ROUND.fetch_add(1, Ordering::SeqCst));
        let (wanted, found, text) = runtime().block_on(async {
            let tree = crate::faults::applied(cluster, &slug).await;
            let applier = Applier::new(cluster.client(User::Admin)).await;
            // Namespaces take everything along; they have cases of their own.
            let objects: Vec<Value> =
                objects_of(&tree).into_iter().filter(|object| object["kind"] != "Namespace").collect();
            let mut touched = BTreeSet::new();
            let mut wanted = BTreeSet::new();
            for (index, edit) in edits {
                let (at, edit) = (index.index(objects.len()), KINDS_OF_EDITS[edit]);
                let elsewhere = edit == Edit::Extra && objects[at]["metadata"]["namespace"].is_null();
                if touched.insert(at) && !elsewhere {
                    wanted.insert(make(&applier, &objects[at], edit).await);
                }
            }
            let set = check_tree(cluster, &tree, User::Checker, &CheckOptions::default()).await.expect("a check");
            let found: BTreeSet<(String, String, String)> = set
                .drift()
                .map(|item| (item.object.to_string(), item.path.clone(), format!("{:?}", item.verdict)))
                .collect();
            (wanted, found, told(&set))
        });
        prop_assert_eq!(&wanted, &found, "it says:\n{}", text);
        Ok(())
    });
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
}
