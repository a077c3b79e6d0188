//! A real Kubernetes control plane on loopback: etcd, kube-apiserver, kube-controller-manager.
//!
//! Random ports, a throw-away data folder, RBAC on, users by static token. Each cluster is its own; nothing is shared
//! between processes, and nothing is left behind ([`process::Guarded`]).

// Each test binary uses its own part of this; a broken set-up panics, since it is not a result of the test.
#![allow(dead_code, clippy::expect_used, clippy::print_stderr)]

pub mod apply;
pub mod binaries;
pub mod certificates;
pub mod crds;
pub mod faults;
pub mod pod;
pub mod process;

use std::fs;
use std::io::Write as _;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

use kube::config::{KubeConfigOptions, Kubeconfig};
use tempfile::TempDir;

use crate::tools::{Absent, NotRun};
use binaries::{Binaries, Version};
use certificates::{Authority, Validity};
use process::Guarded;

/// How long a cluster may take to start on a busy machine.
const START_LIMIT: Duration = Duration::from_secs(120);

/// What a cluster is started with.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Which Kubernetes.
    pub version: Version,
    /// Whether controllers run: namespaces finish terminating, garbage is collected.
    pub controllers: bool,
    /// Whether every request is recorded ([`Cluster::audit_log`]).
    pub audit: bool,
    /// Further flags of kube-apiserver.
    pub apiserver_flags: Vec<String>,
}

impl Settings {
    /// API server only.
    pub fn new(version: Version) -> Self {
        Settings { version, controllers: false, audit: false, apiserver_flags: Vec::new() }
    }
}

/// A user that the API server knows by a static token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum User {
    /// May do everything (`system:masters`).
    Admin,
    /// A second one who may do everything, to tell writers apart.
    Operator,
    /// May do what RBAC grants to the user `drift-checker`, at first nothing.
    Checker,
}

impl User {
    const ALL: [User; 3] = [User::Admin, User::Operator, User::Checker];

    /// The name by which RBAC knows this user.
    pub fn name(self) -> &'static str {
        match self {
            User::Admin => "admin",
            User::Operator => "operator",
            User::Checker => "drift-checker",
        }
    }

    fn groups(self) -> &'static str {
        match self {
            User::Admin | User::Operator => "system:masters",
            User::Checker => "",
        }
    }

    fn token(self) -> String {
        format!("token-of-{}", self.name())
    }
}

/// A running control plane.
pub struct Cluster {
    settings: Settings,
    binaries: Binaries,
    port: u16,
    authority: Authority,
    apiserver: Mutex<Option<Guarded>>,
    controllers: Mutex<Option<Guarded>>,
    _etcd: Guarded,
    etcd_port: u16,
    data: TempDir, // last: removed when the processes are gone
}

impl Cluster {
    /// The cluster that the tests of this binary share: controllers on, all CustomResourceDefinitions installed.
    pub fn shared(version: Version) -> Result<&'static Cluster, NotRun> {
        static NEWEST: OnceLock<Result<Cluster, NotRun>> = OnceLock::new();
        static PREVIOUS: OnceLock<Result<Cluster, NotRun>> = OnceLock::new();
        let slot = match version {
            Version::Newest => &NEWEST,
            Version::Previous => &PREVIOUS,
        };
        let started = slot.get_or_init(|| {
            let cluster = Cluster::start(Settings { controllers: true, ..Settings::new(version) })?;
            cluster.install_crds()?;
            cluster.let_checker_read();
            Ok(cluster)
        });
        started.as_ref().map_err(NotRun::clone)
    }

    /// Starts a cluster of its own and waits until it answers.
    pub fn start(settings: Settings) -> Result<Cluster, NotRun> {
        let binaries = binaries::binaries(settings.version, Absent::from_env())?;
        let mut last = String::new();
        // A free port may be taken by somebody else before the server binds it: then try again with others.
        for _ in 0..3 {
            match Cluster::try_start(settings.clone(), binaries.clone()) {
                Ok(cluster) => return Ok(cluster),
                Err(log) => last = log,
            }
        }
        panic!("the API server does not start; it says:\n{last}");
    }

    fn try_start(settings: Settings, binaries: Binaries) -> Result<Cluster, String> {
        let data = tempfile::Builder::new().prefix("tenantry-cluster-").tempdir().expect("a temporary folder");
        let (etcd_port, peer_port, port) = (free_port(), free_port(), free_port());
        let authority = Authority::create(data.path());
        authority.issue_serving(data.path(), Validity::Valid);
        certificates::write_token_keys(data.path());
        write_users(data.path());
        write_audit_policy(data.path());
        for user in User::ALL {
            let text = kubeconfig(data.path(), port, user.name(), &user.token());
            fs::write(kubeconfig_path(data.path(), user), text).expect("kubeconfig");
        }
        let etcd = start_etcd(&binaries, data.path(), etcd_port, peer_port);
        let cluster = Cluster {
            settings,
            binaries,
            port,
            authority,
            apiserver: Mutex::new(None),
            controllers: Mutex::new(None),
            _etcd: etcd,
            etcd_port,
            data,
        };
        cluster.start_apiserver();
        if !cluster.wait_ready(START_LIMIT) {
            return Err(cluster.log("kube-apiserver"));
        }
        if cluster.settings.controllers {
            cluster.start_controllers();
        }
        Ok(cluster)
    }

    /// A client of this cluster, without retries; to be called inside a Tokio runtime.
    pub fn client(&self, user: User) -> kube::Client {
        // Two TLS libraries are linked in; an error here says that one of them was chosen before.
        let _ = rustls::crypto::ring::default_provider().install_default();
        kube::Client::try_from(self.config(user)).expect("a client")
    }

    /// A client with a token of a ServiceAccount, as a pod has it.
    pub async fn client_of_account(&self, namespace: &str, name: &str) -> kube::Client {
        let mut config = self.config(User::Admin);
        config.auth_info.token = Some(self.token_of_account(namespace, name).await.into());
        kube::Client::try_from(config).expect("a client")
    }

    /// The text of a kubeconfig with a token of a ServiceAccount.
    pub async fn kubeconfig_of_account(&self, namespace: &str, name: &str) -> String {
        let token = self.token_of_account(namespace, name).await;
        kubeconfig(self.data.path(), self.port, name, &token)
    }

    /// A token of a ServiceAccount.
    pub async fn token_of_account(&self, namespace: &str, name: &str) -> String {
        let path = format!("/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token");
        let body = serde_json::json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}});
        let request = http::Request::post(path).header("content-type", "application/json");
        let request = request.body(body.to_string().into_bytes()).expect("a request");
        let answer: serde_json::Value = self.client(User::Admin).request(request).await.expect("a token");
        answer["status"]["token"].as_str().expect("a token").to_owned()
    }

    /// The configuration of [`Cluster::client`].
    pub fn config(&self, user: User) -> kube::Config {
        let file = Kubeconfig::read_from(self.kubeconfig(user)).expect("the kubeconfig that was written");
        let options = KubeConfigOptions::default();
        let loaded = kube::Config::from_custom_kubeconfig(file, &options);
        // Reading a file only looks asynchronous; no reactor is needed for it.
        let mut config = futures::executor::block_on(loaded).expect("the configuration that was written");
        config.default_retry = false;
        config
    }

    /// A kubeconfig file, for kubectl and Helm.
    pub fn kubeconfig(&self, user: User) -> PathBuf {
        kubeconfig_path(self.data.path(), user)
    }

    /// The certificate of who signs the API server's.
    pub fn authority_file(&self) -> PathBuf {
        self.data.path().join("ca.crt")
    }

    /// The port of the API server, for proxies that break things.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Which Kubernetes runs here.
    pub fn version(&self) -> Version {
        self.settings.version
    }

    /// One JSON document a line: every request so far, if [`Settings::audit`] was set.
    pub fn audit_log(&self) -> String {
        fs::read_to_string(self.data.path().join("audit.log")).expect("an audit log")
    }

    /// Kills the API server; its data stays.
    pub fn stop_apiserver(&self) {
        let mut slot = self.apiserver.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        *slot = None;
    }

    /// Starts the API server again, on the same port and data. [`Cluster::wait_ready`] says when it answers.
    pub fn start_apiserver(&self) {
        let arguments = apiserver_flags(self.data.path(), self.port, self.etcd_port, &self.settings);
        let log = self.log_path("kube-apiserver");
        let child = Guarded::start(&self.binaries.apiserver, &arguments, self.data.path(), &log);
        let mut slot = self.apiserver.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        *slot = Some(child.expect("kube-apiserver is started"));
    }

    /// Serves another certificate from now on (the API server is restarted).
    pub fn serve_certificate(&self, validity: Validity) {
        self.stop_apiserver();
        self.authority.issue_serving(self.data.path(), validity);
        self.start_apiserver();
    }

    /// Whether the API server says within `limit` that it is ready.
    pub fn wait_ready(&self, limit: Duration) -> bool {
        let runtime = runtime();
        let client = {
            let _guard = runtime.enter();
            self.client(User::Admin)
        };
        let answers = || {
            let request = http_get("/readyz");
            let answer = async { tokio::time::timeout(Duration::from_secs(5), client.request_text(request)).await };
            matches!(runtime.block_on(answer), Ok(Ok(_)))
        };
        let gave_up = || self.log("kube-apiserver").contains("\"command failed\"");
        let mut ready = false;
        process::wait_until(limit, || {
            ready = answers();
            ready || gave_up()
        });
        ready
    }

    /// The end of what a program of this cluster said.
    pub fn log(&self, program: &str) -> String {
        let text = fs::read_to_string(self.log_path(program)).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(30)..].join("\n")
    }

    /// Installs every CustomResourceDefinition and waits until all are served.
    pub fn install_crds(&self) -> Result<(), NotRun> {
        let folder = crds::folder(Absent::from_env())?;
        let runtime = runtime();
        runtime.block_on(async { install_crds(&self.client(User::Admin), &folder).await });
        Ok(())
    }

    /// Lets [`User::Checker`] read what a drift checker reads, and no Secrets.
    pub fn let_checker_read(&self) {
        let all = |group: &str| serde_json::json!({"apiGroups": [group], "resources": ["*"], "verbs": ["get", "list", "watch"]});
        let core = ["configmaps", "limitranges", "namespaces", "resourcequotas", "serviceaccounts", "services"];
        let groups = [
            "admissionregistration.k8s.io",
            "apiextensions.k8s.io",
            "apps",
            "argoproj.io",
            "cert-manager.io",
            "cilium.io",
            "example.io",
            "external-secrets.io",
            "externaldns.k8s.io",
            "generators.external-secrets.io",
            "helm.toolkit.fluxcd.io",
            "kustomize.toolkit.fluxcd.io",
            "monitoring.coreos.com",
            "networking.k8s.io",
            "rbac.authorization.k8s.io",
            "source.toolkit.fluxcd.io",
        ];
        let mut rules =
            vec![serde_json::json!({"apiGroups": [""], "resources": core, "verbs": ["get", "list", "watch"]})];
        rules.extend(groups.map(all));
        let name = User::Checker.name();
        let api_version = "rbac.authorization.k8s.io/v1";
        let role = serde_json::json!({"apiVersion": api_version, "kind": "ClusterRole", "metadata": {"name": name}, "rules": rules});
        let binding = serde_json::json!({"apiVersion": api_version, "kind": "ClusterRoleBinding", "metadata": {"name": name},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": name}]});
        runtime().block_on(async {
            let applier = apply::Applier::new(self.client(User::Admin)).await;
            assert_eq!(applier.server_side_apply(&[role, binding], "tests").await, Vec::<String>::new());
        });
    }

    fn start_controllers(&self) {
        let kubeconfig = self.kubeconfig(User::Operator);
        let arguments = controller_flags(self.data.path(), &kubeconfig);
        let log = self.log_path("kube-controller-manager");
        let child = Guarded::start(&self.binaries.controller_manager, &arguments, self.data.path(), &log);
        let mut slot = self.controllers.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        *slot = Some(child.expect("kube-controller-manager is started"));
    }

    fn log_path(&self, program: &str) -> PathBuf {
        self.data.path().join(format!("{program}.log"))
    }
}

/// A runtime for tests that are not asynchronous themselves.
pub fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime")
}

/// A GET request without a body.
pub fn http_get(path: &str) -> http::Request<Vec<u8>> {
    http::Request::get(path).body(Vec::new()).expect("a request")
}

async fn install_crds(client: &kube::Client, folder: &Path) {
    use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition as Crd;
    use kube::api::{Api, Patch, PatchParams};

    use futures::StreamExt as _;

    let api: Api<Crd> = Api::all(client.clone());
    let mut definitions = Vec::new();
    for entry in fs::read_dir(folder).expect("the folder of CRDs") {
        let text = fs::read_to_string(entry.expect("a file").path()).expect("a CRD file");
        let mut crd: serde_json::Value = serde_yaml::from_str(&text).expect("a CRD");
        without_descriptions(&mut crd);
        definitions.push((crd["metadata"]["name"].as_str().expect("a name").to_owned(), crd));
    }
    let put = futures::stream::iter(&definitions).map(|(name, crd)| {
        let api = api.clone();
        async move {
            let parameters = PatchParams::apply("tests").force();
            api.patch(name, &parameters, &Patch::Apply(crd)).await.unwrap_or_else(|error| panic!("{name}: {error}"));
        }
    });
    put.buffer_unordered(8).collect::<Vec<()>>().await;
    let names = definitions.into_iter().map(|(name, _)| name);
    for name in names {
        let established = kube::runtime::conditions::is_crd_established();
        let wait = kube::runtime::wait::await_condition(api.clone(), &name, established);
        tokio::time::timeout(Duration::from_secs(60), wait).await.expect("established in time").expect("established");
    }
}

/// Leaves out what only people read: a third of the server's work when it starts is to publish it.
fn without_descriptions(value: &mut serde_json::Value) {
    match value {
        serde_json::Value::Object(fields) => {
            fields.retain(|name, value| name != "description" || !value.is_string());
            fields.values_mut().for_each(without_descriptions);
        }
        serde_json::Value::Array(items) => items.iter_mut().for_each(without_descriptions),
        _ => {}
    }
}

fn start_etcd(binaries: &Binaries, data: &Path, port: u16, peer_port: u16) -> Guarded {
    let (client, peer) = (format!("http://127.0.0.1:{port}"), format!("http://127.0.0.1:{peer_port}"));
    let arguments = [
        format!("--data-dir={}", data.join("etcd").display()),
        format!("--listen-client-urls={client}"),
        format!("--advertise-client-urls={client}"),
        format!("--listen-peer-urls={peer}"),
        format!("--initial-advertise-peer-urls={peer}"),
        format!("--initial-cluster=default={peer}"),
        "--unsafe-no-fsync=true".to_owned(),
        "--log-level=error".to_owned(),
    ];
    Guarded::start(&binaries.etcd, &arguments, data, &data.join("etcd.log")).expect("etcd is started")
}

fn apiserver_flags(data: &Path, port: u16, etcd_port: u16, settings: &Settings) -> Vec<String> {
    let file = |name: &str| data.join(name).display().to_string();
    let mut flags = vec![
        format!("--etcd-servers=http://127.0.0.1:{etcd_port}"),
        "--bind-address=127.0.0.1".to_owned(),
        "--advertise-address=127.0.0.1".to_owned(),
        format!("--secure-port={port}"),
        format!("--cert-dir={}", file("certificates")),
        format!("--tls-cert-file={}", file("serving.crt")),
        format!("--tls-private-key-file={}", file("serving.key")),
        "--service-account-issuer=https://kubernetes.default.svc".to_owned(),
        format!("--service-account-key-file={}", file("tokens.pub")),
        format!("--service-account-signing-key-file={}", file("tokens.key")),
        format!("--token-auth-file={}", file("users.csv")),
        "--authorization-mode=RBAC".to_owned(),
        "--service-cluster-ip-range=10.96.0.0/16".to_owned(),
        "--allow-privileged=true".to_owned(),
        "--endpoint-reconciler-type=none".to_owned(), // loopback is no valid endpoint address
    ];
    if settings.audit {
        flags.push(format!("--audit-policy-file={}", file("audit.yaml")));
        flags.push(format!("--audit-log-path={}", file("audit.log")));
    }
    flags.extend(settings.apiserver_flags.iter().cloned());
    flags
}

fn controller_flags(data: &Path, kubeconfig: &Path) -> Vec<String> {
    let controllers = [
        "namespace-controller",
        "garbage-collector-controller",
        "serviceaccount-controller",
        "root-ca-certificate-publisher-controller",
        "clusterrole-aggregation-controller",
        "resourcequota-controller",
    ];
    vec![
        format!("--kubeconfig={}", kubeconfig.display()),
        format!("--service-account-private-key-file={}", data.join("tokens.key").display()),
        format!("--root-ca-file={}", data.join("ca.crt").display()),
        format!("--controllers={}", controllers.join(",")),
        "--leader-elect=false".to_owned(),
        "--secure-port=0".to_owned(),
        "--namespace-sync-period=1m".to_owned(),
    ]
}

fn write_users(data: &Path) {
    let mut file = fs::File::create(data.join("users.csv")).expect("users.csv");
    for user in User::ALL {
        writeln!(file, "{},{},{},\"{}\"", user.token(), user.name(), user.name(), user.groups()).expect("a user");
    }
}

fn write_audit_policy(data: &Path) {
    let policy =
        "apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages: [RequestReceived]\nrules:\n- level: Metadata\n";
    fs::write(data.join("audit.yaml"), policy).expect("audit.yaml");
}

fn kubeconfig_path(data: &Path, user: User) -> PathBuf {
    data.join(format!("{}.kubeconfig", user.name()))
}

fn kubeconfig(data: &Path, port: u16, user: &str, token: &str) -> String {
    let document = serde_json::json!({
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "test",
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": user}}],
        "clusters": [{"name": "test", "cluster": {
            "server": format!("https://127.0.0.1:{port}"),
            "certificate-authority": data.join("ca.crt"),
        }}],
        "users": [{"name": user, "user": {"token": token}}],
    });
    document.to_string()
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port").port()
}
