//! Rendered fleets on a real API server: accepted whole, and clean when they are read back.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use serde_json::Value;
use tenantry::cluster::{CheckOptions, Limits, check};
use tenantry::drift::changeset::ChangeSet;

use crate::harness::apply::{Applier, Tree, objects_of};
use crate::harness::binaries::Version;
use crate::harness::pod::Pod;
use crate::harness::{Cluster, Settings, User, runtime};
use crate::watcher::{Upstream, Watcher};

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
    let kubectl = match cluster.install_crds().and_then(|()| crate::tools::kubectl()) {
        Ok(kubectl) => kubectl,
        Err(not_run) => return not_run.report(),
    };
    let (mut faults, mut trees, mut with_checker, mut checker) = (String::new(), 0, 0, None);
    runtime().block_on(async {
        let applier = Applier::new(cluster.client(User::Admin)).await;
        for (name, fleet) in fleets() {
            for (cluster_name, tree) in render(&fleet) {
                let fault = one_tree(&cluster, &applier, &tree, (&fleet, &cluster_name)).await;
                faults.extend(fault.map(|fault| format!("{name}/{cluster_name}: {fault}\n")));
                trees += 1;
                with_checker += usize::from(checker_account(&objects_of(&tree)).is_some());
                if name == "demo" && version == Version::Newest {
                    checker = Some((cluster_name, tree));
                }
            }
        }
        if let Some((name, tree)) = checker {
            runs_as_rendered(&cluster, &applier, &name, &tree).await;
        }
    });
    assert!(trees > 4 && with_checker > 3, "{trees} trees, {with_checker} with a checker");
    assert!(faults.is_empty(), "{faults}");
    // The fleets are gone again, and no other test sees this cluster: the policies may hold for all of it.
    if version == Version::Newest {
        crate::admission::every_case_has_the_verdict_of_a_real_api_server(&cluster, &kubectl);
    }
}

/// What is wrong with a tree, if anything is.
async fn one_tree(cluster: &Cluster, applier: &Applier, tree: &Tree, of: (&Path, &str)) -> Option<String> {
    let objects = objects_of(tree);
    applier.create_missing_namespaces(&objects).await;
    let refused = applier.server_side_apply(&objects, "kustomize-controller").await;
    // As the checker itself, with the rights that the tree gives it and no more. (A fleet may do without a checker.)
    let account = checker_account(&objects);
    let folder = tempfile::tempdir().expect("a folder");
    write_tree(folder.path(), tree);
    let kubeconfig = match &account {
        Some((namespace, account)) => {
            let path = folder.path().join("kubeconfig");
            std::fs::write(&path, cluster.kubeconfig_of_account(namespace, account).await).expect("a kubeconfig");
            path
        }
        None => cluster.kubeconfig(User::Admin),
    };
    let live = drift(folder.path(), &["--settle", "0s", "--kubeconfig", &kubeconfig.to_string_lossy()]);
    if let Some((namespace, account)) = account {
        only_reads(&cluster.audit_log(), &format!("system:serviceaccount:{namespace}:{account}"));
    }
    let (mut reports, mut unchanged) = (vec![live], None);
    // And as a saved dump of what kubectl shows.
    if cluster.version() == Version::Newest {
        std::fs::write(folder.path().join("dump.yaml"), dump(cluster, &objects)).expect("a dump");
        reports.push(drift(folder.path(), &["--live", "dump.yaml"]));
        unchanged = diff_of_dump(&folder.path().join("dump.yaml"), of);
    }
    applier.take_away(&objects).await;
    let wrong = reports.into_iter().find(|(code, report)| {
        *code != Some(0) || report["verdict"] != "clean" || report["counts"]["declared"] != objects.len()
    });
    match wrong {
        _ if !refused.is_empty() => Some(format!("{refused:#?}")),
        Some((code, report)) => Some(format!("{code:?} {report:#}")),
        None => unchanged,
    }
}

/// What `diff --live` finds between a dump and the fleet that was applied, if anything.
fn diff_of_dump(dump: &Path, (fleet, cluster): (&Path, &str)) -> Option<String> {
    let mut program = Command::new(env!("CARGO_BIN_EXE_tenantry"));
    program.arg("-C").arg(fleet).args(["-o", "json", "diff", "--cluster", cluster, "--live"]).arg(dump);
    let (code, report) = run_drift(&mut program);
    let fine = code == Some(0) && report["verdict"] == "same";
    (!fine).then(|| format!("diff --live: {code:?} {report:#}"))
}

/// Starts the checker with the arguments of its Deployment, as its account in its pod: it reads everything, tells what
/// drifts and which line of the fleet decides it, and does nothing else.
async fn runs_as_rendered(cluster: &Cluster, applier: &Applier, name: &str, tree: &Tree) {
    let objects = objects_of(tree);
    let find = |kind: &str| {
        let found =
            objects.iter().find(|object| object["kind"] == kind && object["metadata"]["name"] == "tenantry-drift");
        found.unwrap_or_else(|| panic!("no {kind}"))
    };
    let container = &find("Deployment")["spec"]["template"]["spec"]["containers"][0];
    let mut arguments: Vec<String> = serde_json::from_value(container["args"].clone()).expect("arguments");
    let listen = instead(&mut arguments, "--listen", "127.0.0.1:0");
    assert!(listen.ends_with(&format!(":{}", container["ports"][0]["containerPort"])), "{listen}");
    assert_eq!(find("Service")["spec"]["ports"][0]["targetPort"], container["ports"][0]["name"]);
    let probes = ["/readinessProbe", "/livenessProbe"].map(|probe| container.pointer(&format!("{probe}/httpGet/path")));
    assert_eq!(probes.map(|path| path.and_then(Value::as_str)), [Some("/readyz"), Some("/healthz")]);

    applier.create_missing_namespaces(&objects).await;
    assert_eq!(applier.server_side_apply(&objects, "kustomize-controller").await, Vec::<String>::new());
    let (namespace, account) = checker_account(&objects).expect("an account");
    let pod = Pod::new(cluster, &namespace, &account).await;
    let upstream = Upstream::of(name, tree);
    instead(&mut arguments, "--repo", &upstream.url());
    instead(&mut arguments, "--path", "tree");
    let context = instead(&mut arguments, "--context", "in-cluster");
    assert_eq!(context, "in-cluster");
    let fleet =
        ["-C", env!("CARGO_MANIFEST_DIR"), "--service-account", &pod.path().to_string_lossy()].map(str::to_owned);
    arguments.extend(fleet);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let watcher = Watcher::start_in(&arguments, &pod.environment());
    watcher.report("a clean report", |report| report["verdict"] == "clean");
    watcher.says("/readyz", 200, "0 cannot be read");
    watcher.says("/metrics", 200, "tenantry_drift_leader 1");
    let is_quota = |object: &&Value| {
        let namespace = object["metadata"]["namespace"].as_str().unwrap_or_default();
        object["kind"] == "ResourceQuota" && namespace.starts_with("tenant-")
    };
    let patch = serde_json::json!({"spec": {"hard": {"limits.cpu": "999"}}});
    let quota = objects.iter().find(is_quota).expect("a quota");
    applier.patch(quota, &kube::api::Patch::Merge(patch), "kubectl-edit").await;
    watcher.report("the drift", |report| report["verdict"] == "drift");
    let told = watcher.report("its line", |report| report["differences"][0]["decidedBy"].is_object());
    let once = once_in_pod(&upstream, name, &pod);
    let [told, once] = [&told, &once].map(|report| &report["differences"][0]);
    assert_eq!((&told["decidedBy"], &told["path"]), (&once["decidedBy"], &once["path"]), "{told:#}");
    let line = &told["decidedBy"];
    let line = format!("{}:{}", line["file"].as_str().unwrap_or_default(), line["line"]);
    assert!(line.starts_with("tenants/") || line.starts_with("install.yaml:"), "{told:#}");
    let start = std::time::Instant::now();
    let reports = format!("/apis/openreports.io/v1alpha1/namespaces/{namespace}/reports");
    while !crate::watch::list(cluster, &reports)
        .await
        .iter()
        .any(|report| report["results"].to_string().contains(&line))
    {
        assert!(start.elapsed() < Duration::from_secs(60), "no Report with {line}: {}", watcher.log());
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    watcher.says("/metrics", 200, "verb=\"patch\",code=\"201\"");
    let start = std::time::Instant::now();
    let events = format!("/apis/events.k8s.io/v1/namespaces/{namespace}/events");
    while !crate::watch::list(cluster, &events).await.iter().any(|event| event["reason"] == "DriftDetected") {
        assert!(start.elapsed() < Duration::from_secs(60), "no Event: {}", watcher.log());
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert_eq!(watcher.terminate(), Some(0));
    only_reads_and_tells(&cluster.audit_log(), &format!("system:serviceaccount:{namespace}:{account}"), &namespace);
    applier.take_away(&objects).await;
}

/// The report of one check in a pod, with the fleet at hand.
fn once_in_pod(upstream: &Upstream, name: &str, pod: &Pod) -> Value {
    let mut program = Command::new(env!("CARGO_BIN_EXE_tenantry"));
    let home = tempfile::tempdir().expect("a folder");
    program.args(["-C", env!("CARGO_MANIFEST_DIR"), "drift", "--path", "tree", "--settle", "0s", "-o", "json"]);
    program.args(["--cluster", name, "--repo", &upstream.url(), "--context", "in-cluster", "--service-account"]);
    program.arg(pod.path()).env_clear().env("HOME", home.path()).envs(pod.environment());
    program.env("PATH", std::env::var_os("PATH").unwrap_or_default()).envs(crate::identity::IDENTITY);
    let output = program.output().expect("the program runs");
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("a report")
}

/// Sets the value of an option; what it was.
fn instead(arguments: &mut [String], option: &str, value: &str) -> String {
    let at = arguments.iter().position(|argument| argument == option).unwrap_or_else(|| panic!("no {option}"));
    std::mem::replace(&mut arguments[at + 1], value.to_owned())
}

/// The audit log of a user has nothing but reads, and Events, Reports and the lease in one namespace; all of it was allowed.
fn only_reads_and_tells(log: &str, user: &str, namespace: &str) {
    let mut told = std::collections::BTreeSet::new();
    for event in log.lines().map(|line| serde_json::from_str::<Value>(line).expect("an event")) {
        if event["user"]["username"] != user {
            continue;
        }
        let text = |pointer: &str| event.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let (verb, resource) = (text("/verb"), text("/objectRef/resource"));
        assert_ne!(resource, "secrets", "{event}");
        assert_ne!(event["responseStatus"]["code"], 403, "{event}");
        if matches!(verb, "get" | "list" | "watch") {
            continue;
        }
        let tells = match (text("/objectRef/apiGroup"), resource, verb) {
            ("events.k8s.io", "events", "create") | ("openreports.io", "reports", "patch") => true,
            ("coordination.k8s.io", "leases", "create") => true,
            ("coordination.k8s.io", "leases", "update") => text("/objectRef/name") == "tenantry-drift",
            _ => false,
        };
        assert!(tells && text("/objectRef/namespace") == namespace, "{event}");
        told.insert(resource.to_owned());
    }
    assert_eq!(told.into_iter().collect::<Vec<_>>(), ["events", "leases", "reports"]);
}

/// Writes a tree where the program looks for it.
pub fn write_tree(folder: &Path, tree: &Tree) {
    write_tree_of(folder, "c1", tree);
}

/// The same of a cluster of this name.
pub fn write_tree_of(folder: &Path, cluster: &str, tree: &Tree) {
    for (path, bytes) in tree {
        let path = folder.join("tree/clusters").join(cluster).join(path);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, bytes).expect("a file");
    }
}

/// Runs the program; its exit code and JSON report.
pub fn drift(folder: &Path, arguments: &[&str]) -> (Option<i32>, Value) {
    let mut program = Command::new(env!("CARGO_BIN_EXE_tenantry"));
    program.args(["drift", "--tree", "tree", "-o", "json"]).args(arguments).current_dir(folder);
    run_drift(&mut program)
}

/// Runs the program; its exit code and JSON report.
pub fn run_drift(program: &mut Command) -> (Option<i32>, Value) {
    let output = program.env_clear().output().expect("the program runs");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
        panic!("{error}: {} {}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
    });
    // Where it fails before there is a report, it says so in the JSON of all commands.
    if report["kind"] == "DriftReport" {
        let faults: Vec<String> =
            SCHEMA.iter_errors(&report).map(|fault| format!("{}: {fault}", fault.instance_path())).collect();
        assert!(faults.is_empty(), "{faults:#?}");
    }
    (output.status.code(), report)
}

/// What is published of the report.
static SCHEMA: LazyLock<jsonschema::Validator> =
    LazyLock::new(|| jsonschema::validator_for(&tenantry::report::drift::schema()).expect("the schema is one"));

/// What kubectl prints of all kinds of the objects, and of their definitions.
fn dump(cluster: &Cluster, objects: &[Value]) -> Vec<u8> {
    let kind = |object: &Value| {
        let (version, kind) =
            (object["apiVersion"].as_str().expect("a version"), object["kind"].as_str().expect("a kind"));
        match version.split_once('/') {
            Some((group, version)) => format!("{kind}.{version}.{group}"),
            None => kind.to_owned(),
        }
    };
    let mut kinds: std::collections::BTreeSet<String> = objects.iter().map(kind).collect();
    kinds.insert("CustomResourceDefinition.v1.apiextensions.k8s.io".to_owned());
    let kinds: Vec<String> = kinds.into_iter().collect();
    let mut kubectl = Command::new(crate::tools::kubectl().unwrap_or_else(|not_run| panic!("{not_run}")));
    let home = tempfile::tempdir().expect("a folder");
    kubectl.arg("--kubeconfig").arg(cluster.kubeconfig(User::Admin)).env("HOME", home.path());
    kubectl.args(["get", &kinds.join(","), "--all-namespaces", "--show-managed-fields", "-o", "yaml"]);
    crate::tools::run(&mut kubectl).unwrap_or_else(|error| panic!("{error}")).stdout
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
fn fleets_are_accepted_and_clean_and_admission_is_as_offline_on_the_newest_version() {
    accepted_and_clean(Version::Newest);
}

#[test]
fn fleets_are_accepted_and_clean_on_the_previous_version() {
    accepted_and_clean(Version::Previous);
}
