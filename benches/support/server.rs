//! The whole checker against a real API server: time against the bare lists, memory, and how soon a change is told.

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use kube::api::Patch;
use serde_json::{Value, json};
use tenantry::cluster::api::Verb;
use tenantry::cluster::generation::Committed;
use tenantry::cluster::view::View;
use tenantry::cluster::watch::{Outlets, Settings as WatchSettings, Upstream, watch};
use tenantry::cluster::{Api, CheckOptions, Limits, check};
use tenantry::drift::changeset::Overall;
use tenantry::error::Result;
use tenantry::report::drift::{Applier as ReportApplier, Parts};
use tokio::sync::{Notify, mpsc};

use crate::harness::apply::{Applier, Tree, objects_of, write_objects};
use crate::harness::binaries::Version;
use crate::harness::{Cluster, Settings, User, runtime};
use crate::tools;

/// Tenants, and objects of each: 20,000 in all.
const TENANTS: usize = 400;
const EACH: usize = 50;

/// Objects that `kubectl diff` is measured with; it takes as long for each.
const SAMPLE: usize = 60;

/// Edits whose way to the report is measured.
const EDITS: usize = 200;

fn tree() -> Tree {
    (0..TENANTS)
        .map(|tenant| (format!("tenants/t{tenant:03}/all.yaml"), crate::canonical(&manifests(tenant)).into_bytes()))
        .collect()
}

fn manifests(tenant: usize) -> String {
    let namespace = format!("tenant-t{tenant:03}");
    let mut text = format!("apiVersion: v1\nkind: Namespace\nmetadata:\n  name: {namespace}\n");
    for number in 1..EACH {
        let head = |api: &str, kind: &str| {
            format!("---\napiVersion: {api}\nkind: {kind}\nmetadata:\n  name: o{number:02}\n  namespace: {namespace}\n")
        };
        text.push_str(&match number % 4 {
            0 => format!("{}data:\n  key: value-{number}\n", head("v1", "ConfigMap")),
            1 => format!(
                "{}rules:\n- apiGroups: ['']\n  resources: [configmaps]\n  verbs: [get]\n",
                head("rbac.authorization.k8s.io/v1", "Role")
            ),
            2 => format!("{}spec:\n  selector: {{app: a}}\n  ports:\n  - port: 443\n", head("v1", "Service")),
            _ => format!(
                "{}spec:\n  podSelector: {{matchLabels: {{app: a}}}}\n  policyTypes: [Ingress]\n  ingress:\n  - from:\n    - podSelector: {{}}\n    ports:\n    - port: 443\n",
                head("networking.k8s.io/v1", "NetworkPolicy")
            ),
        });
    }
    text
}

/// Runs everything once, and prints what came of it.
pub fn run() {
    let flags = vec!["--service-cluster-ip-range=10.96.0.0/12".to_owned()];
    let settings = Settings { apiserver_flags: flags, ..Settings::new(Version::Newest) };
    let cluster = match Cluster::start(settings) {
        Ok(cluster) => cluster,
        Err(not_run) => return println!("{not_run}"),
    };
    let (runtime, tree) = (runtime(), tree());
    let objects = objects_of(&tree);
    runtime.block_on(async {
        let applier = Applier::new(cluster.client(User::Admin)).await;
        assert_eq!(applier.server_side_apply(&objects, "bench").await, Vec::<String>::new());
    });
    println!("{} objects in {TENANTS} namespaces", objects.len());
    let whole = runtime.block_on(against_lists(&cluster, &tree, objects.len()));
    against_kubectl(&cluster, &objects, whole);
    runtime.block_on(latency(&cluster, &tree, objects.len()));
}

fn api(cluster: &Cluster) -> Api {
    Api::new(cluster.client(User::Admin), Limits::default())
}

/// The check against the same lists without a comparison, in turns.
async fn against_lists(cluster: &Cluster, tree: &Tree, objects: usize) -> Duration {
    let (mut bare, mut whole, mut requests) = (Vec::new(), Vec::new(), 0);
    for _ in 0..5 {
        let start = Instant::now();
        let lists = futures::stream::iter(PATHS).map(|path| list(cluster, path)).buffer_unordered(8);
        lists.collect::<Vec<()>>().await;
        bare.push(start.elapsed());
        let (api, start) = (api(cluster), Instant::now());
        let set = check(&api, Arc::new(tree.clone()), &CheckOptions::default(), "2026-01-01".parse().unwrap()).await;
        whole.push(start.elapsed());
        let set = set.unwrap();
        assert_eq!((set.overall(), set.objects), (Overall::Clean, objects));
        requests = api.requests().values().sum();
    }
    let (bare, whole) = (median(&mut bare), median(&mut whole));
    println!(
        "one check: {:.2} × the bare paged lists ({whole:.2?} and {bare:.2?}), {requests} requests, {:.0} objects/s",
        whole.as_secs_f64() / bare.as_secs_f64(),
        objects as f64 / whole.as_secs_f64()
    );
    whole
}

/// The collections that hold the objects, and those that a check reads besides.
const PATHS: [&str; 9] = [
    "/api/v1/configmaps",
    "/api/v1/limitranges",
    "/api/v1/namespaces",
    "/api/v1/resourcequotas",
    "/api/v1/services",
    "/apis/networking.k8s.io/v1/networkpolicies",
    "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
    "/apis/rbac.authorization.k8s.io/v1/rolebindings",
    "/apis/rbac.authorization.k8s.io/v1/roles",
];

async fn list(cluster: &Cluster, path: &str) {
    let (api, mut next) = (api(cluster), String::new());
    loop {
        let body = api.get(Verb::List, &format!("{path}?limit=500{next}")).await.unwrap();
        let head = String::from_utf8_lossy(&body[..body.len().min(2000)]).into_owned();
        let token = head.split("\"continue\":\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap_or_default();
        if token.is_empty() {
            return;
        }
        next = format!("&continue={}", token.replace('=', "%3D").replace('+', "%2B").replace('/', "%2F"));
    }
}

fn against_kubectl(cluster: &Cluster, objects: &[Value], whole: Duration) {
    let kubectl = match tools::kubectl() {
        Ok(kubectl) => kubectl,
        Err(not_run) => return println!("{not_run}"),
    };
    let home = tempfile::tempdir().unwrap();
    let sample: Vec<Value> = objects.iter().take(SAMPLE).cloned().collect();
    let file = home.path().join("sample.yaml");
    write_objects(&sample, &file);
    let diff = |file: &std::path::Path| {
        let mut command = Command::new(&kubectl);
        command
            .arg("--kubeconfig")
            .arg(cluster.kubeconfig(User::Admin))
            .args(["diff", "--server-side", "--field-manager=bench", "-f"])
            .arg(file);
        let start = Instant::now();
        tools::run(command.env("HOME", home.path())).unwrap_or_else(|error| panic!("{error}"));
        start.elapsed()
    };
    diff(&file); // its cache of discovery
    let time = diff(&file).mul_f64(objects.len() as f64 / SAMPLE as f64);
    println!("`kubectl diff` of {SAMPLE} objects, scaled: {:.0} × the check", time.as_secs_f64() / whole.as_secs_f64());
}

/// A tree that stays as it is.
struct Still(Committed);

impl Upstream for Still {
    fn look(&self) -> Result<Committed> {
        Ok(self.0.clone())
    }

    fn follows(&self, newer: &str, older: &str) -> Result<bool> {
        Ok(newer == older)
    }
}

/// Memory of a check that goes on, and the time from the answer to an edit to the view that has it.
async fn latency(cluster: &Cluster, tree: &Tree, objects: usize) {
    let before = resident();
    let committed = Committed {
        files: Arc::new(tree.clone()),
        exemptions: Vec::new(),
        cluster: "c1".to_owned(),
        revision: "still".to_owned(),
        is_commit: false,
        asked: None,
        name: "tree".to_owned(),
        prefix: "clusters/c1".to_owned(),
        applier: ReportApplier::Flux,
    };
    let settings = WatchSettings {
        options: CheckOptions::default(),
        parts: Parts::default(),
        poll: Duration::from_secs(3600),
        resync: Duration::from_secs(3600),
        rollout: Duration::ZERO,
        fresh: Duration::from_secs(300),
        version: "bench".to_owned(),
    };
    let (view, stop) =
        (tokio::sync::watch::Sender::new(Arc::new(View::default())), tokio::sync::watch::Sender::new(false));
    let leader = tokio::sync::watch::Sender::new(false);
    let (news, _keep) = mpsc::unbounded_channel();
    let outlets = Outlets { view: view.clone(), news, is_leader: leader.subscribe(), renew: Arc::new(Notify::new()) };
    let start = Instant::now();
    let task = tokio::spawn(watch(api(cluster), Arc::new(Still(committed)), settings, outlets, stop.subscribe()));
    let mut views = view.subscribe();
    views.wait_for(|view| view.document.is_some()).await.unwrap();
    let begun = start.elapsed();
    let memory = resident().saturating_sub(before);
    println!(
        "a check that goes on: begun after {begun:.2?}, {:.2} KB an object",
        memory as f64 / 1024.0 / objects as f64
    );
    let applier = Applier::new(cluster.client(User::Admin)).await;
    let mut times = Vec::new();
    for number in 0..EDITS {
        let namespace = format!("tenant-t{:03}", number % TENANTS);
        let policy = json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
            "metadata": {"namespace": namespace, "name": "o03"}});
        let patch = Patch::Merge(json!({"metadata": {"labels": {"by-hand": "yes"}}}));
        applier.patch(&policy, &patch, "bench").await;
        let start = Instant::now();
        let told =
            |view: &Arc<View>| view.document.as_ref().is_some_and(|document| document.differences.len() == number + 1);
        views.wait_for(told).await.unwrap();
        times.push(start.elapsed());
    }
    times.sort();
    let (middle, late) = (times[EDITS / 2], times[EDITS * 99 / 100]);
    println!("from the answer to an edit to the report that has it: median {middle:.0?}, p99 {late:.0?}");
    stop.send_replace(true);
    task.await.unwrap();
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort();
    times[times.len() / 2]
}

/// Memory of this process, in bytes.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let fields: BTreeMap<&str, &str> = status.lines().filter_map(|line| line.split_once(':')).collect();
    fields["VmRSS"].split_whitespace().next().unwrap().parse::<usize>().unwrap() * 1024
}
