//! What must never be called clean: whatever could not be read. And nothing may hang.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use serde_json::{Value, json};
use tenantry::cluster::{Api, CheckOptions, Limits, check};
use tenantry::drift::changeset::{ChangeSet, Gap, Overall};
use tenantry::error::Result;

use crate::fleets::{read_into, told};
use crate::harness::apply::{Applier, Tree, objects_of};
use crate::harness::binaries::Version;
use crate::harness::certificates::Validity;
use crate::harness::faults::{Fault, FaultProxy, Rule};
use crate::harness::{Cluster, Settings, User, runtime};
use crate::tools::NotRun;

/// Faults that are tried at once.
const CONCURRENCY: usize = 6;

/// Small pages, few attempts, little time.
fn limits() -> Limits {
    Limits {
        request_timeout: Duration::from_secs(5),
        total_timeout: Duration::from_secs(30),
        attempts: 3,
        page_size: 40, // more ClusterRoles than that are in every cluster
        ..Limits::default()
    }
}

/// The tree of the cases under a name of its own, applied.
pub async fn applied(cluster: &Cluster, slug: &str) -> Tree {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cluster/tree");
    let mut tree = Tree::new();
    read_into(&folder, "", &mut tree);
    let named = |text: &str| text.replace("acme", slug).replace("soctalk-system", &format!("system-{slug}"));
    let tree: Tree = tree
        .iter()
        .map(|(path, bytes)| (named(path), named(std::str::from_utf8(bytes).expect("UTF-8")).into_bytes()))
        .collect();
    let applier = Applier::new(cluster.client(User::Admin)).await;
    let refused = applier.server_side_apply(&objects_of(&tree), "kustomize-controller").await;
    assert_eq!(refused, Vec::<String>::new());
    tree
}

async fn run(client: kube::Client, limits: Limits, tree: &Tree) -> Result<ChangeSet> {
    let start = Instant::now();
    let api = Api::new(client, limits);
    let today = "2026-01-01".parse().expect("a date");
    let outcome = check(&api, Arc::new(tree.clone()), &CheckOptions::default(), today).await;
    let bound = limits.total_timeout + limits.request_timeout + Duration::from_secs(5);
    assert!(start.elapsed() < bound, "it took {:?}", start.elapsed());
    outcome
}

fn shared() -> std::result::Result<&'static Cluster, NotRun> {
    Cluster::shared(Version::Newest)
}

fn gaps(set: &ChangeSet) -> Vec<String> {
    set.coverage.iter().filter_map(|kind| Some(format!("{}: {:?}", kind.kind.kind, kind.gap.as_ref()?))).collect()
}

/// What a fault must lead to.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Ends {
    /// The fault passes and is survived.
    Clean,
    /// Some kind is told as unread, with this word.
    Incomplete(&'static str),
    /// The cluster counts as unreachable: exit 5.
    Unreachable,
}

#[test]
fn a_fault_is_survived_or_told_and_never_hangs() {
    let cluster = match shared() {
        Ok(cluster) => cluster,
        Err(not_run) => return not_run.report(),
    };
    let once = |path, fault| Rule { path, fault, after: 0, times: Some(1) };
    let lists = "limit=";
    let cases = [
        ("nothing breaks", Rule::always("no such path", Fault::Reset), Ends::Clean),
        ("a list expires between two pages", once("continue=", Fault::Status(410, None)), Ends::Clean),
        ("every list expires", Rule::always("continue=", Fault::Status(410, None)), Ends::Incomplete("expired")),
        (
            "one kind is refused",
            Rule::always("/networkpolicies?", Fault::Status(403, None)),
            Ends::Incomplete("Refused"),
        ),
        (
            "the token ends in the middle",
            Rule { path: lists, fault: Fault::Status(401, None), after: 9, times: None },
            Ends::Incomplete("Refused"),
        ),
        ("one kind is gone", Rule::always("/networkpolicies?", Fault::Status(404, None)), Ends::Incomplete("Absent")),
        ("too many requests, for a while", once(lists, Fault::Status(429, Some(1))), Ends::Clean),
        ("too many requests, for ever", Rule::always(lists, Fault::Status(429, Some(1))), Ends::Incomplete("429")),
        ("too many requests from the beginning", Rule::always("/api", Fault::Status(429, Some(5))), Ends::Unreachable),
        ("unavailable, for a while", once(lists, Fault::Status(503, None)), Ends::Clean),
        ("unavailable, for ever", Rule::always("/roles?", Fault::Status(503, None)), Ends::Incomplete("503")),
        ("a broken connection", once(lists, Fault::Reset), Ends::Clean),
        ("only broken connections", Rule::always("/services?", Fault::Reset), Ends::Incomplete("no answer")),
        (
            "the server goes in the middle",
            Rule { path: lists, fault: Fault::Reset, after: 6, times: None },
            Ends::Incomplete("no answer"),
        ),
        ("half an answer", once(lists, Fault::Cut), Ends::Clean),
        ("only halves of answers", Rule::always("/configmaps?", Fault::Cut), Ends::Incomplete("no answer")),
        ("a page that is no list", Rule::always("/configmaps?", Fault::Garbage), Ends::Incomplete("no list")),
        ("discovery that is none", Rule::always("/apis", Fault::Garbage), Ends::Unreachable),
        ("slow answers", Rule::always(lists, Fault::Slow(Duration::from_millis(300))), Ends::Clean),
        (
            "answers that come too late",
            Rule::always("/roles?", Fault::Slow(Duration::from_secs(6))),
            Ends::Incomplete("no answer within"),
        ),
        (
            "a list that is never answered",
            Rule::always("/limitranges?", Fault::Hang),
            Ends::Incomplete("no answer within"),
        ),
        (
            "a definition that may not be read",
            Rule::always("/customresourcedefinitions/", Fault::Status(403, None)),
            Ends::Incomplete("Unjudged"),
        ),
    ];
    let faults: Vec<String> = runtime().block_on(async {
        let tree = applied(cluster, "faults").await;
        let tree = &tree;
        let outcomes = futures::stream::iter(cases).map(|(name, rule, ends)| async move {
            let proxy = FaultProxy::start(cluster.client(User::Admin), vec![rule]).await;
            let outcome = run(proxy.client(), limits(), tree).await;
            let fault = match (&outcome, ends) {
                _ if proxy.broken() == 0 && name != "nothing breaks" => Some(format!("nothing broke: {outcome:?}")),
                (Ok(set), Ends::Clean) if set.overall() == Overall::Clean => None,
                (Ok(set), Ends::Incomplete(word)) if set.overall() == Overall::Incomplete => {
                    (!gaps(set).iter().any(|gap| gap.contains(word)))
                        .then(|| format!("no gap says {word}: {:?}", gaps(set)))
                }
                (Err(error), Ends::Unreachable) if error.exit_code() == 5 => None,
                (Ok(set), _) => Some(format!("{:?}\n{}", set.overall(), told(set))),
                (Err(error), _) => Some(error.to_string()),
            };
            fault.map(|fault| format!("{name}: {fault}"))
        });
        outcomes.buffer_unordered(CONCURRENCY).filter_map(|fault| async move { fault }).collect().await
    });
    assert!(faults.is_empty(), "{}", faults.join("\n\n"));
}

#[test]
fn what_git_cannot_say_is_never_clean() {
    let cluster = match shared() {
        Ok(cluster) => cluster,
        Err(not_run) => return not_run.report(),
    };
    runtime().block_on(async {
        let tree = applied(cluster, "unreadable").await;
        let broken = [
            ("broken YAML", "a: [\n"),
            (
                "an ambiguous scalar",
                "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x, namespace: tenant-unreadable}\ndata: {a: yes}\n",
            ),
            ("no kind", "metadata: {name: x}\n"),
        ];
        for (name, text) in broken {
            let mut tree = tree.clone();
            tree.insert("tenants/unreadable/broken.yaml".to_owned(), text.as_bytes().to_vec());
            // What the broken file declares is unknown, so nothing may be called extra.
            tree.remove("tenants/unreadable/cilium.yaml");
            let set = run(cluster.client(User::Admin), limits(), &tree).await.unwrap();
            assert_eq!(set.overall(), Overall::Incomplete, "{name}: {}", told(&set));
            assert_eq!(set.problems[0].place.file, "tenants/unreadable/broken.yaml");
            assert_eq!(set.items, [], "{name}");
        }
        let mut absent = tree.clone();
        let text =
            "apiVersion: unknown.example.com/v1\nkind: Thing\nmetadata: {name: x, namespace: tenant-unreadable}\n";
        absent.insert("tenants/unreadable/thing.yaml".to_owned(), text.as_bytes().to_vec());
        let set = run(cluster.client(User::Admin), limits(), &absent).await.unwrap();
        assert_eq!(set.overall(), Overall::Incomplete);
        assert!(set.coverage.iter().any(|kind| kind.kind.kind == "Thing" && matches!(kind.gap, Some(Gap::Absent(_)))));
    });
}

#[test]
fn a_user_who_may_not_read_everything_is_told_so() {
    let cluster = match shared() {
        Ok(cluster) => cluster,
        Err(not_run) => return not_run.report(),
    };
    runtime().block_on(async {
        let tree = applied(cluster, "refused").await;
        let applier = Applier::new(cluster.client(User::Admin)).await;
        let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "half", "namespace": "default"}});
        let role: Value = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "half"},
            "rules": [{"apiGroups": [""], "resources": ["namespaces", "configmaps"], "verbs": ["get", "list"]}]});
        let binding = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": "half"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "half"},
            "subjects": [{"kind": "ServiceAccount", "name": "half", "namespace": "default"}]});
        assert_eq!(applier.server_side_apply(&[account, role, binding], "tests").await, Vec::<String>::new());
        let client = cluster.client_of_account("default", "half").await;
        let set = run(client, limits(), &tree).await.unwrap();
        assert_eq!(set.overall(), Overall::Incomplete);
        let refused = set.coverage.iter().filter(|kind| matches!(&kind.gap, Some(Gap::Refused(message)) if message.contains("half")));
        assert!(refused.count() > 10, "{:?}", gaps(&set));
        let read: Vec<&str> =
            set.coverage.iter().filter(|kind| kind.gap.is_none()).map(|kind| kind.kind.kind.as_str()).collect();
        assert_eq!(read, ["ConfigMap", "Namespace"]);

        // The token of an account that is gone has ended, as soon as the server has forgotten that it knew it.
        let client = cluster.client_of_account("default", "half").await;
        applier.delete(&json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "half", "namespace": "default"}})).await;
        let start = Instant::now();
        let error = loop {
            match run(client.clone(), limits(), &tree).await {
                Ok(set) => assert_eq!(set.overall(), Overall::Incomplete),
                Err(error) => break error,
            }
            assert!(start.elapsed() < Duration::from_secs(60), "the token never ends");
            tokio::time::sleep(Duration::from_millis(500)).await;
        };
        assert_eq!((error.exit_code(), error.to_string().contains("credentials")), (5, true), "{error}");
    });
}

#[test]
fn a_server_that_restarts_is_waited_for_and_one_that_is_gone_or_a_fraud_is_an_error_in_time() {
    let cluster = match Cluster::start(Settings::new(Version::Newest)) {
        Ok(cluster) => cluster,
        Err(not_run) => return not_run.report(),
    };
    let names: Vec<String> = (0..60).map(|number| format!("map-{number:02}")).collect();
    let mut text = "apiVersion: v1\nkind: Namespace\nmetadata: {name: tenant-x}\n".to_owned();
    for name in &names {
        text.push_str(&format!(
            "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}, namespace: tenant-x}}\n"
        ));
    }
    let tree = Tree::from([("tenants/x/all.yaml".to_owned(), text.into_bytes())]);
    runtime().block_on(async {
        let applier = Applier::new(cluster.client(User::Admin)).await;
        assert_eq!(applier.server_side_apply(&objects_of(&tree), "tests").await, Vec::<String>::new());
        // Each page takes its time, so that the server goes while the list is under way.
        let slow = Rule::always("limit=", Fault::Slow(Duration::from_millis(400)));
        let proxy = FaultProxy::start(cluster.client(User::Admin), vec![slow]).await;
        let patient = Limits { total_timeout: Duration::from_secs(120), attempts: 40, ..limits() };
        let (outcome, ()) = tokio::join!(run(proxy.client(), patient, &tree), async {
            tokio::time::sleep(Duration::from_millis(1500)).await;
            cluster.stop_apiserver();
            tokio::time::sleep(Duration::from_secs(2)).await;
            cluster.start_apiserver();
        });
        let set = outcome.unwrap();
        assert_eq!(set.overall(), Overall::Clean, "{}", told(&set));
    });
    is_an_error_in_time(&cluster);
}

/// An expired certificate, and nobody who listens.
fn is_an_error_in_time(cluster: &Cluster) {
    let tree =
        Tree::from([("system/a.yaml".to_owned(), b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n".to_vec())]);
    let fails = |why: &str| {
        let outcome = runtime().block_on(async { run(cluster.client(User::Admin), limits(), &tree).await });
        let error = outcome.expect_err(why);
        assert_eq!(error.exit_code(), 5, "{error}");
        error.to_string()
    };
    cluster.serve_certificate(Validity::Expired);
    let listens = || std::net::TcpStream::connect(("127.0.0.1", cluster.port())).is_ok();
    assert!(crate::harness::process::wait_until(Duration::from_secs(60), listens), "it listens");
    let said = fails("an expired certificate");
    assert!(said.to_lowercase().contains("expired"), "{said}");
    cluster.stop_apiserver();
    let said = fails("nobody listens");
    assert!(said.to_lowercase().contains("connect"), "{said}");
}
