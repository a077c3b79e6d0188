//! The check that goes on: what it tells, what it survives, and what it never does.

use std::time::Duration;

use kube::api::Patch;
use serde_json::{Value, json};

use crate::faults::applied;
use crate::harness::apply::{Applier, Tree, objects_of};
use crate::harness::binaries::Version;
use crate::harness::faults::{Fault, FaultProxy, Rule};
use crate::harness::pod::Pod;
use crate::harness::{Cluster, Settings, User, http_get, runtime};
use crate::watcher::{Upstream, Watcher};

const COMMON: [&str; 12] = [
    "drift",
    "--watch",
    "--listen",
    "127.0.0.1:0",
    "--log-format",
    "json",
    "--cluster",
    "c1",
    "--poll",
    "1s",
    "--timeout",
    "60s",
];

fn named(kind: &str, namespace: &str, name: &str) -> Value {
    let (api_version, kind) = kind.rsplit_once(' ').expect("a version and a kind");
    json!({"apiVersion": api_version, "kind": kind, "metadata": {"namespace": namespace, "name": name}})
}

/// Opens a tenant to everybody.
async fn open_up(applier: &Applier, namespace: &str) {
    let policy = named("networking.k8s.io/v1 NetworkPolicy", namespace, "default-deny");
    applier.patch(&policy, &Patch::Merge(json!({"spec": {"ingress": [{}]}})), "kubectl-edit").await;
}

/// Puts back what [`open_up`] did.
async fn close_again(applier: &Applier, namespace: &str) {
    let policy = named("networking.k8s.io/v1 NetworkPolicy", namespace, "default-deny");
    applier.patch(&policy, &Patch::Merge(json!({"spec": {"ingress": null}})), "kubectl-edit").await;
}

/// The objects of a collection.
pub async fn list(cluster: &Cluster, path: &str) -> Vec<Value> {
    let list: Value = cluster.client(User::Admin).request(http_get(path)).await.expect("a list");
    list["items"].as_array().cloned().unwrap_or_default()
}

fn is(report: &Value, verdict: &str) -> bool {
    report["verdict"] == verdict && report["counts"]["pending"].is_null()
}

#[test]
fn what_begins_and_ends_is_told_and_git_is_followed() {
    let cluster = match Cluster::shared(Version::Newest) {
        Ok(cluster) => cluster,
        Err(not_run) => return not_run.report(),
    };
    let runtime = runtime();
    let (tree, applier) = runtime
        .block_on(async { (applied(cluster, "watched").await, Applier::new(cluster.client(User::Admin)).await) });
    let (upstream, kubeconfig) = (Upstream::new(&tree), cluster.kubeconfig(User::Admin));
    let (url, kubeconfig) = (upstream.url(), kubeconfig.to_string_lossy());
    let own = [
        "--repo",
        &url,
        "--path",
        "tree",
        "--kubeconfig",
        &kubeconfig,
        "--settle",
        "1s",
        "--events",
        "--reports",
        "--lease",
        "system-watched/checker",
    ];
    let watcher = Watcher::start(&[&COMMON[..], &own[..]].concat());
    watcher.report("the first report", |report| is(report, "clean"));
    watcher.says("/readyz", 200, "[+]last success");
    watcher.says("/healthz", 200, "ok");
    watcher.says("/metrics", 200, "tenantry_drift_tenants{state=\"clean\"} 1");

    runtime.block_on(open_up(&applier, "tenant-watched"));
    let pending = watcher.report("what is pending", |report| report["differences"][0].is_object());
    let of = |report: &Value| (report["differences"][0]["path"].clone(), report["differences"][0]["since"].is_string());
    assert_eq!(of(&pending), (json!("spec.ingress"), true), "{pending:#}");
    let drift = watcher.report("the drift", |report| is(report, "drift"));
    assert_eq!(drift["tenants"]["watched"], "drifted");
    watcher.says("/metrics", 200, "tenantry_drift_objects{kind=\"NetworkPolicy\",verdict=\"added\"} 1");
    watcher.says("/", 200, "default-deny");
    crate::metrics::are_as_documented(&watcher.get("/metrics").1);
    told(&runtime, cluster, "DriftDetected", "tenantry-drift-tenant-watched", "fail");

    runtime.block_on(close_again(&applier, "tenant-watched"));
    watcher.report("the repair", |report| is(report, "clean"));
    told(&runtime, cluster, "DriftResolved", "tenantry-drift-tenant-watched", "pass");

    follows_git(&runtime, &watcher, &upstream, &tree, &applier);
    assert_eq!(watcher.terminate(), Some(0));
    let lease: Value = runtime
        .block_on(async {
            let path = "/apis/coordination.k8s.io/v1/namespaces/system-watched/leases/checker";
            cluster.client(User::Admin).request(http_get(path)).await
        })
        .expect("a lease");
    assert_eq!(lease["spec"]["holderIdentity"].as_str().unwrap_or_default(), "", "it is given back: {lease:#}");
}

/// Waits for an Event, and for a Report that says so, too.
fn told(runtime: &tokio::runtime::Runtime, cluster: &Cluster, reason: &str, report: &str, result: &str) {
    let mut last = Value::Null;
    let told = crate::harness::process::wait_until(Duration::from_secs(60), || {
        runtime.block_on(async {
            let events = list(cluster, "/apis/events.k8s.io/v1/namespaces/system-watched/events").await;
            let reports = list(cluster, "/apis/openreports.io/v1alpha1/namespaces/system-watched/reports").await;
            let event = events.iter().any(|event| event["reason"] == reason);
            let of_unit = reports.iter().find(|object| object["metadata"]["name"] == report);
            last = json!([events, reports]);
            event && of_unit.is_some_and(|object| object["summary"][result] == 1)
        })
    });
    assert!(told, "{reason}: {last:#}");
}

/// A new commit, a bad one, a rewritten branch, a remote that is away.
fn follows_git(
    runtime: &tokio::runtime::Runtime,
    watcher: &Watcher,
    upstream: &Upstream,
    tree: &Tree,
    applier: &Applier,
) {
    let map = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: new, namespace: tenant-watched}\ndata: {a: b}\n";
    let mut next = tree.clone();
    next.insert("tenants/watched/new.yaml".to_owned(), map.as_bytes().to_vec());
    let commit = upstream.commit(&next);
    // What was merged and is not applied yet is pending; applied, it is clean.
    let rolling = watcher.report("the new commit", |report| report["checked"]["revision"] == json!(commit));
    assert_eq!(
        (&rolling["verdict"], &rolling["differences"][0]["pending"]),
        (&json!("clean"), &json!("rolling-out")),
        "{rolling:#}"
    );
    let refused = runtime.block_on(applier.server_side_apply(&objects_of(&next), "kustomize-controller"));
    assert_eq!(refused, Vec::<String>::new());
    watcher.report("the roll-out", |report| is(report, "clean"));

    let mut broken = next.clone();
    broken.insert("tenants/watched/broken.yaml".to_owned(), b"a: [\n".to_vec());
    upstream.commit(&broken);
    watcher.says("/readyz", 200, "tenants/watched/broken.yaml:");
    watcher.says("/metrics", 200, "tenantry_drift_desired_stale 1");
    watcher
        .report("what was good last", |report| report["checked"]["revision"] == json!(commit) && is(report, "clean"));
    let mended = upstream.commit(&next);
    watcher.report("the mended commit", |report| report["checked"]["revision"] == json!(mended));
    watcher.says("/metrics", 200, "tenantry_drift_desired_stale 0");

    upstream.rewrite();
    watcher.says("/readyz", 200, "was rewritten");
    watcher.report("what was checked before", |report| report["checked"]["revision"] == json!(mended));
    upstream.restore(&mended);
    watcher.says("/metrics", 200, "tenantry_drift_desired_stale 0");

    upstream.reachable(false);
    watcher.says("/metrics", 200, "tenantry_drift_desired_stale 1");
    watcher.says("/readyz", 200, "note: ");
    upstream.reachable(true);
    watcher.says("/metrics", 200, "tenantry_drift_desired_stale 0");
}

/// A few objects, so that a server of its own is cheap.
fn small_tree() -> Tree {
    let text = "apiVersion: v1\nkind: Namespace\nmetadata: {name: tenant-x}\n---\napiVersion: networking.k8s.io/v1\n\
                kind: NetworkPolicy\nmetadata: {name: default-deny, namespace: tenant-x}\nspec:\n  podSelector: {}\n  \
                policyTypes: [Ingress]\n";
    Tree::from([("tenants/x/all.yaml".to_owned(), text.as_bytes().to_vec())])
}

#[test]
fn a_watch_survives_restarts_and_tokens_that_end() {
    let cluster = match Cluster::start(Settings::new(Version::Previous)) {
        Ok(cluster) => cluster,
        Err(not_run) => return not_run.report(),
    };
    let (runtime, tree, folder) = (runtime(), small_tree(), tempfile::tempdir().expect("a folder"));
    let kubeconfig = folder.path().join("kubeconfig");
    let account = [
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "checker", "namespace": "default"}}),
        json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": "checker"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
            "subjects": [{"kind": "ServiceAccount", "name": "checker", "namespace": "default"}]}),
    ];
    let applier = runtime.block_on(async {
        let applier = Applier::new(cluster.client(User::Admin)).await;
        assert_eq!(applier.server_side_apply(&objects_of(&tree), "tests").await, Vec::<String>::new());
        assert_eq!(applier.server_side_apply(&account, "tests").await, Vec::<String>::new());
        let text = cluster.kubeconfig_of_account("default", "checker").await;
        std::fs::write(&kubeconfig, text).expect("a kubeconfig");
        applier
    });
    crate::fleets::write_tree(folder.path(), &tree);
    let root = folder.path().join("tree");
    let (root, file) = (root.to_string_lossy(), kubeconfig.to_string_lossy());
    let pod = runtime.block_on(Pod::new(&cluster, "default", "checker"));
    let account_folder = pod.path().to_string_lossy();
    let by_kubeconfig = ["--tree", &root, "--settle", "0s", "--kubeconfig", &file];
    let in_pod = ["--tree", &root, "--settle", "0s", "--context", "in-cluster", "--service-account", &account_folder];
    let watcher = Watcher::start(&[&COMMON[..], &by_kubeconfig[..]].concat());
    let other = Watcher::start_in(&[&COMMON[..], &in_pod[..]].concat(), &pod.environment());
    let both_say = |what: &str, verdict: &str| {
        for watcher in [&watcher, &other] {
            watcher.report(what, |report| is(report, verdict));
        }
    };
    both_say("the first report", "clean");
    // The server goes, and its watch cache with it: the watches are too far behind when it comes back.
    cluster.stop_apiserver();
    watcher.says("/metrics", 200, "code=\"none\"");
    assert!(watcher.get("/metrics").1.contains("tenantry_drift_tenants{state=\"clean\"} 1"), "what was known stays");
    cluster.start_apiserver();
    assert!(cluster.wait_ready(Duration::from_secs(120)));
    runtime.block_on(open_up(&applier, "tenant-x"));
    both_say("an edit after a restart", "drift");
    runtime.block_on(close_again(&applier, "tenant-x"));
    both_say("its repair", "clean");

    // The token ends with its account; a new one is found where the old one was.
    runtime.block_on(applier.delete(&account[0]));
    cluster.stop_apiserver();
    cluster.start_apiserver();
    assert!(cluster.wait_ready(Duration::from_secs(120)));
    for watcher in [&watcher, &other] {
        watcher.says("/metrics", 200, "verb=\"watch\",code=\"401\"");
    }
    runtime.block_on(async {
        assert_eq!(applier.server_side_apply(&account[..1], "tests").await, Vec::<String>::new());
        let text = cluster.kubeconfig_of_account("default", "checker").await;
        std::fs::write(&kubeconfig, text).expect("a kubeconfig");
        pod.rotate(&cluster, "default", "checker").await;
        open_up(&applier, "tenant-x").await;
    });
    both_say("an edit under the new token", "drift");
    // A checkout that changes is read again.
    let open = std::str::from_utf8(&tree["tenants/x/all.yaml"])
        .expect("UTF-8")
        .replace("[Ingress]", "[Ingress]\n  ingress: [{}]");
    crate::fleets::write_tree(folder.path(), &Tree::from([("tenants/x/all.yaml".to_owned(), open.into_bytes())]));
    watcher.report("the checkout that changed", |report| is(report, "clean"));
    assert_eq!(watcher.terminate(), Some(0));
}

#[test]
fn a_watch_survives_what_servers_answer() {
    let cluster = match Cluster::shared(Version::Newest) {
        Ok(cluster) => cluster,
        Err(not_run) => return not_run.report(),
    };
    let runtime = runtime();
    let (tree, applier) = runtime
        .block_on(async { (applied(cluster, "answers").await, Applier::new(cluster.client(User::Admin)).await) });
    let folder = tempfile::tempdir().expect("a folder");
    crate::fleets::write_tree(folder.path(), &tree);
    let root = folder.path().join("tree");
    let some = |path, fault, times| Rule { path, fault, after: 0, times: Some(times) };
    // Streamed lists are refused, watches broken in every way, and then all is well.
    let rules = vec![
        some("/networkpolicies?watch=true&allowWatchBookmarks=true&timeoutSeconds", Fault::Status(422, None), 1),
        some("/services?watch=true", Fault::Status(429, Some(1)), 2),
        some("/roles?watch=true", Fault::Status(410, None), 1),
        some("/rolebindings?watch=true", Fault::Status(401, None), 1),
        some("/configmaps?watch=true", Fault::Cut, 2),
        some("/resourcequotas?watch=true", Fault::Reset, 2),
        some("/limitranges?watch=true", Fault::Garbage, 1),
        some("/serviceaccounts?watch=true", Fault::Status(503, None), 2),
    ];
    let proxy = runtime.block_on(async { FaultProxy::start(cluster.client(User::Admin), rules).await });
    let kubeconfig = folder.path().join("kubeconfig");
    std::fs::write(&kubeconfig, proxy.kubeconfig()).expect("a kubeconfig");
    let (root, file) = (root.to_string_lossy(), kubeconfig.to_string_lossy());
    let own = ["--tree", &root, "--kubeconfig", &file, "--settle", "0s"];
    let watcher = Watcher::start(&[&COMMON[..], &own[..]].concat());
    watcher.report("a whole report", |report| is(report, "clean"));
    assert_eq!(proxy.broken(), 12, "every fault happened");
    runtime.block_on(open_up(&applier, "tenant-answers"));
    watcher.report("an edit", |report| is(report, "drift"));
    watcher.says("/metrics", 200, "verb=\"watch\",code=\"429\"");
}

#[test]
fn a_kind_that_may_not_be_read_is_never_clean_and_never_ready() {
    let cluster = match Cluster::shared(Version::Newest) {
        Ok(cluster) => cluster,
        Err(not_run) => return not_run.report(),
    };
    let runtime = runtime();
    let tree = runtime.block_on(applied(cluster, "forbidden"));
    let folder = tempfile::tempdir().expect("a folder");
    crate::fleets::write_tree(folder.path(), &tree);
    let rule = Rule::always("/networkpolicies", Fault::Status(403, None));
    let proxy = runtime.block_on(async { FaultProxy::start(cluster.client(User::Admin), vec![rule]).await });
    let kubeconfig = folder.path().join("kubeconfig");
    std::fs::write(&kubeconfig, proxy.kubeconfig()).expect("a kubeconfig");
    let root = folder.path().join("tree");
    let (root, file) = (root.to_string_lossy(), kubeconfig.to_string_lossy());
    let watcher = Watcher::start(&[&COMMON[..], &["--tree", &root, "--kubeconfig", &file][..]].concat());
    let report = watcher.report("a report", |report| report["verdict"] == "incomplete");
    assert_eq!(report["tenants"]["forbidden"], "unknown");
    watcher.says("/readyz", 503, "1 cannot be read");
    watcher.says("/metrics", 200, "tenantry_drift_kinds{state=\"unread\"} 1");
    assert!(!watcher.get("/metrics").1.contains("last_success_timestamp_seconds "), "it never knew everything");
}
