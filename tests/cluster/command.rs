//! The program itself on a real API server: what it tells, and that the commands it prints put everything back.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use kube::api::Patch;
use serde_json::{Value, json};

use crate::fleets::run_drift;
use crate::harness::apply::{Applier, Tree};
use crate::harness::binaries::Version;
use crate::harness::faults::{Fault, FaultProxy, Rule};
use crate::harness::process::wait_until;
use crate::harness::{Cluster, User, runtime};
use crate::identity::IDENTITY;

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

/// Commits something to the branch that is checked, once the check has begun to read the cluster.
fn move_on(repository: &Path, proxy: &FaultProxy) {
    assert!(wait_until(Duration::from_secs(60), || proxy.broken() > 0), "the check begins");
    let mut git = Command::new("git");
    git.current_dir(repository).args(["commit", "--quiet", "--allow-empty", "-m", "meanwhile"]).envs(IDENTITY);
    crate::tools::run(&mut git).unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn what_is_not_known_ends_in_time_with_its_code() {
    let cluster = match Cluster::shared(Version::Newest) {
        Ok(cluster) => cluster,
        Err(not_run) => return not_run.report(),
    };
    let (runtime, folder) = (runtime(), tempfile::tempdir().expect("a folder"));
    let repository = folder.path();
    runtime.block_on(async { commit(repository, &crate::faults::applied(cluster, "codes").await) });
    let lists = "limit=";
    // What breaks, how, how many requests pass before, how long the check may take, its code, what the report says.
    let cases = [
        ("/networkpolicies?", Fault::Status(403, None), 0, 60, 6, "not permitted"),
        ("/limitranges?", Fault::Hang, 0, 4, 6, "no answer within"),
        (lists, Fault::Status(429, Some(2)), 0, 5, 6, "429"),
        (lists, Fault::Status(401, None), 9, 60, 6, "not permitted"),
        ("/api", Fault::Status(503, None), 0, 5, 5, "503"),
        ("/api", Fault::Hang, 0, 4, 5, "no answer within"),
        // Every answer is late: time for the branch to move.
        (lists, Fault::Slow(Duration::from_secs(2)), 0, 60, 6, "moved to"),
    ];
    std::thread::scope(|scope| {
        for (path, fault, after, seconds, wanted, word) in cases {
            let rule = Rule { path, fault, after, times: None };
            let proxy = runtime.block_on(async { FaultProxy::start(cluster.client(User::Admin), vec![rule]).await });
            scope.spawn(move || {
                let home = tempfile::tempdir().expect("a folder");
                let kubeconfig = home.path().join("kubeconfig");
                std::fs::write(&kubeconfig, proxy.kubeconfig()).expect("a kubeconfig");
                let mut program = Command::new(env!("CARGO_BIN_EXE_tenantry"));
                program.args(["-C", "/nowhere", "drift", "--path", "tree", "--settle", "0s", "--repo"]).arg(repository);
                program.args(["--timeout", &format!("{seconds}s"), "--kubeconfig"]).arg(&kubeconfig);
                let begun = Instant::now();
                let child = program.env_clear().stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
                if word == "moved to" {
                    move_on(repository, &proxy);
                }
                let output = child.expect("it runs").wait_with_output().expect("it ends");
                let took = begun.elapsed();
                let said =
                    [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
                assert_eq!(output.status.code(), Some(wanted), "{path} {fault:?}: {said}");
                assert!(said.contains(word) && !said.contains("CLEAN"), "{path} {fault:?}: {said}");
                assert!(took < Duration::from_secs(seconds + 20), "{path} {fault:?} took {took:?}");
            });
        }
    });
}

/// Runs the program in a home of its own; its exit code and JSON report.
fn at_home(home: &Path, arguments: &[&str]) -> (Option<i32>, Value) {
    let mut program = Command::new(env!("CARGO_BIN_EXE_tenantry"));
    program.args(["-C", "/nowhere", "drift", "--settle", "0s", "-o", "json"]).args(arguments);
    program.env_clear().env("HOME", home).env("PATH", std::env::var_os("PATH").unwrap_or_default());
    let output = program.envs(IDENTITY).output().expect("the program runs");
    let report = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    (output.status.code(), report)
}

/// The Job of the documentation, with addresses of its own.
fn documented_job(url: &str, kubeconfig: &str) -> (Value, String) {
    let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/drift.md")).expect("the page");
    let mut blocks = page.split("```yaml\n").map(|block| block.split("```").next().unwrap_or_default());
    let job = blocks.find(|block| block.contains("completionMode: Indexed")).expect("the Job");
    let job: Value = serde_yaml::from_str(&job.replace("soctalk-system", "system-sharded")).expect("YAML");
    let script = job.pointer("/spec/template/spec/containers/0/args/0").and_then(Value::as_str).expect("a script");
    let script = script.replace("https://git.example.com/platform/rendered.git", &format!("{url} --path tree"));
    let script = script.replace("--cluster eu-1", "--cluster c1");
    (job.clone(), script.replace("--context in-cluster", &format!("--kubeconfig {kubeconfig} --settle 0s")))
}

#[test]
fn a_remote_repository_is_checked_whole_and_in_shards() {
    let cluster = match Cluster::shared(Version::Newest) {
        Ok(cluster) => cluster,
        Err(not_run) => return not_run.report(),
    };
    let (home, kubeconfig) = (tempfile::tempdir().expect("a folder"), cluster.kubeconfig(User::Admin));
    let kubeconfig = kubeconfig.to_string_lossy();
    let tree = runtime().block_on(crate::faults::applied(cluster, "sharded"));
    let upstream = crate::watcher::Upstream::new(&tree);
    let http = format!("{}/bare.git", crate::http_backend::serve(upstream.folder()));
    for url in [upstream.url(), http] {
        let (code, report) = at_home(home.path(), &["--repo", &url, "--path", "tree", "--kubeconfig", &kubeconfig]);
        assert_eq!(
            (code, &report["verdict"], &report["checked"]["repository"]),
            (Some(0), &json!("clean"), &json!(url))
        );
    }
    let (job, script) = documented_job(&upstream.url(), &kubeconfig);
    let refused = runtime()
        .block_on(async { Applier::new(cluster.client(User::Admin)).await.server_side_apply(&[job], "tests").await });
    assert_eq!(refused, Vec::<String>::new());
    let program = Path::new(env!("CARGO_BIN_EXE_tenantry")).parent().expect("a folder");
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap_or_default());
    let mut reports = Vec::new();
    for index in 0..4 {
        let mut shell = Command::new("sh");
        shell.args(["-c", &script]).current_dir(home.path()).env("PATH", &path).env("HOME", home.path());
        shell.envs(IDENTITY).env("JOB_COMPLETION_INDEX", index.to_string());
        let output = crate::tools::run(&mut shell).unwrap_or_else(|error| panic!("{error}"));
        let file = home.path().join(format!("{index}.json"));
        std::fs::write(&file, output.stdout).expect("a report");
        reports.push(file.to_string_lossy().into_owned());
    }
    let merge = |reports: &[String]| {
        let mut program = Command::new(env!("CARGO_BIN_EXE_tenantry"));
        run_drift(program.args(["drift", "merge", "-o", "json"]).args(reports))
    };
    let (code, whole) = merge(&reports);
    assert_eq!((code, &whole["verdict"]), (Some(0), &json!("clean")), "{whole:#}");
    let (code, part) = merge(&reports[1..]);
    assert_eq!((code, &part["verdict"]), (Some(6), &json!("incomplete")), "{part:#}");
}
